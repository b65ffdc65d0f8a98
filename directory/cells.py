"""What a table of any kind may hold."""

MAX_COLUMNS = 50
LONGEST_CELL = 32_767
"""As Excel has it."""


class Unreadable(Exception):
    """The file is no table that we can read; the message says why, in a sentence."""
