"""What an action speaks of by name: its rules, and what is given, taken or held. Written with the action."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from provisioning.models import Action
from provisioning.search.models import Mention, Name

BATCH = 5000
COLUMNS = ("rule", "entitlement", "holder", "before", "after")
RULES, HELD = "rules", "held"

Named = tuple[str, str]
"""A kind of names, and a text of it."""


def named(rule: str, *speaking: Any) -> set[Named]:
    """`speaking`: an entitlement, its holder, and how it was before and after."""
    found = {(RULES, rule)} if rule else set()
    return found | {(HELD, name) for one in speaking if one for name in _held(one)}


def _held(one: Mapping[str, Any]) -> Iterator[str]:
    """Of an entitlement its name; of an account as it stood all that it held."""
    if one.get("kind") and one.get("name"):
        yield str(one["name"])
    for lines in one.values():
        if isinstance(lines, list):
            yield from (str(line["name"]) for line in lines if isinstance(line, dict) and line.get("name"))


def note(actions: Sequence[Action]) -> None:
    """Of rows that were just written, in their transaction."""
    speaking = ((row.pk, named(*(getattr(row, column) for column in COLUMNS))) for row in actions)
    write(speaking, Name.objects, Mention.objects)


def write(speaking: Iterable[tuple[int, set[Named]]], names: Any, mentions: Any) -> None:
    """By the ids of actions. What is written already stays as it is. `names` and `mentions`: managers."""
    speaking = list(speaking)
    ids = _ids({one for _, said in speaking for one in said}, names)
    rows = [mentions.model(name_id=ids[one], action_id=pk) for pk, said in speaking for one in said]
    mentions.bulk_create(rows, batch_size=BATCH, ignore_conflicts=True)


def _ids(wanted: set[Named], names: Any) -> dict[Named, int]:
    """Of names; those that are new are made. Two jobs may meet a new one at once."""
    by_digest = {digest(*one): one for one in wanted}
    known = _known(by_digest, names)
    rows = [
        names.model(kind=kind, text=text, digest=key)
        for key, (kind, text) in by_digest.items()
        if key not in known
    ]
    if rows:
        names.bulk_create(rows, batch_size=300, ignore_conflicts=True)
        known = _known(by_digest, names)
    return {one: known[key] for key, one in by_digest.items()}


def _known(digests: Iterable[str], names: Any) -> dict[str, int]:
    asked, known = sorted(digests), {}
    for start in range(0, len(asked), 500):
        known.update(names.filter(digest__in=asked[start : start + 500]).values_list("digest", "pk"))
    return known


def digest(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()
