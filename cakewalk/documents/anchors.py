"""Where in a document a section begins: for whoever leads to it, without reading the document."""

import re


def slug(title: str) -> str:
    """As GitHub makes them, so that a link is the same there and here."""
    return re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-")
