"""Who works at the company whose sync is measured, and on what."""

OWNER = "chief@example.org"


def email_of(number: int) -> str:
    return f"person{number}@example.org"


def name_of(number: int) -> str:
    return f"Pérson Number {number}"


def name_of_project(number: int) -> str:
    return f"Project {number}"


RULES = """
[[rule]]
name = "Owners"
group = "owners"
role = "owner"
state = "active"

[[rule]]
name = "Staff"
group = "staff"
role = "reader"
state = "active"
"""
"""Of a company whose people are in one of these groups, for `import_rules`."""
