"""How long history is kept, and how what is older goes: into a file first. docs/retention.md tells of it."""
