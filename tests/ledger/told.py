"""What the ledger tells, short enough to be asserted."""

from typing import Any

from cakewalk.ledger.models import Entry
from cakewalk.ledger.verbs import Verb

ALWAYS = (Verb.SIGNED_IN,)
"""What tests do before they begin."""


def told(since: int = 0) -> list[tuple[str, str]]:
    """Who did what, in order, after the entry `since`."""
    entries = Entry.objects.filter(seq__gt=since).exclude(verb__in=ALWAYS).order_by("seq")
    return list(entries.values_list("actor", "verb"))


def verbs() -> list[str]:
    return [verb for _, verb in told()]


def last_seq() -> int:
    newest = Entry.objects.order_by("-seq").values_list("seq", flat=True).first()
    return newest or 0


def last(verb: str) -> Entry:
    return Entry.objects.filter(verb=verb).order_by("-seq")[0]


def facts(verb: str) -> dict[str, Any]:
    """Of the newest entry of its kind."""
    found: dict[str, Any] = last(verb).told()["facts"]
    return found
