"""How many rows are read at once of what is sent while it is read. Pure."""

from collections.abc import Iterator

FIRST = 50


def growing(most: int) -> Iterator[int]:
    """Few at first, so that the first row leaves soon: each may have to be fetched from another place of the
    disk. Then ever more, as each question costs the same however much it asks for.
    """
    size = min(FIRST, most)
    while True:
        yield size
        size = min(size * 4, most)
