"""What an auditor is given: all that the record tells of one integration in a period, as one zip.

docs/evidence.md says what is in it.
"""
