"""The history of people: what was said of whom, when, and by whom. Whatever changes people writes it here.

Imports and pulls, which know every difference before they write, leave their rows to `directory.importing`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from directory import former
from directory.bulk import BATCH, batches
from directory.emails import email_key
from directory.import_plan import FIELDS, plain
from directory.models import Membership, Person, PersonEmail, Revision

Known = Mapping[int, Mapping[str, Any]]
"""What the directory says of people, by their ids."""


def known(ids: Collection[int]) -> Known:
    """As it stands in the database now."""
    found: dict[int, Mapping[str, Any]] = {}
    for some in batches(sorted(ids)):
        groups, aliases = defaultdict(list), defaultdict(list)
        memberships = Membership.objects.filter(person__in=some).order_by("group__name")
        for person_id, name in memberships.values_list("person_id", "group__name"):
            groups[person_id].append(name)
        addresses = PersonEmail.objects.filter(person__in=some).order_by("key")
        for person_id, key, address, email in addresses.values_list(
            "person_id", "key", "address", "person__email"
        ):
            if key != email_key(email):
                aliases[person_id].append(address)
        for row in Person.objects.filter(pk__in=some).values("pk", "source__name", *FIELDS):
            pk, source = row.pop("pk"), row.pop("source__name")
            said = {name: plain(value) for name, value in row.items()}
            found[pk] = {**said, "groups": groups[pk], "aliases": aliases[pk], "source": source}
    return found


def note(before: Known, ids: Collection[int], *, by: str, now: datetime) -> list[int]:
    """Write down what of these people is another now than `before`. Returns whose entry is."""
    rows = []
    for pk, after in known(ids).items():
        if fields := differences(before.get(pk, {}), after):
            rows.append(Revision(person_id=pk, at=now, by=by[: Revision.LONGEST_BY], fields=fields))
    Revision.objects.bulk_create(rows, batch_size=BATCH)
    former.remember((row.person_id, row.fields) for row in rows)
    return [row.person_id for row in rows]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """By column, from what to what. What was never there and is empty is no difference."""
    return {
        column: [before.get(column), value]
        for column, value in after.items()
        if before.get(column) != value and not (column not in before and value in (None, "", []))
    }
