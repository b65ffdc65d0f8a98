"""What happened, in a chain that can be appended and never altered unnoticed. docs/ledger.md tells how."""
