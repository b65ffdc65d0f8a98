"""The history of people: what was said of whom, when, and by whom. Whatever changes people writes it here.

Imports and pulls, which know every difference before they write, leave their rows to `directory.importing`.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Model

from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from directory import former
from directory.bulk import BATCH, batches
from directory.emails import email_key
from directory.import_plan import FIELDS, plain
from directory.models import Membership, Person, PersonEmail, Revision
from directory.witnessing import Witness

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


def note(
    before: Known, ids: Collection[int], *, by: str, now: datetime, about: Model | None = None
) -> list[int]:
    """Write down what of these people is another now than `before`, here and in the ledger. Returns whose
    entry is. `about`: what it was that changed all of them.
    """
    rows, by, after = [], by[: Revision.LONGEST_BY], known(ids)
    for pk, said in after.items():
        if fields := differences(before.get(pk, {}), said):
            rows.append(Revision(person_id=pk, at=now, by=by, fields=fields))
    Revision.objects.bulk_create(rows, batch_size=BATCH)
    former.remember((row.person_id, row.fields) for row in rows)
    if rows:
        _record(rows, after, Witness(now, by), about, is_new=rows[0].person_id not in before)
    return [row.person_id for row in rows]


def _record(rows: list[Revision], after: Known, seen: Witness, about: Model | None, *, is_new: bool) -> None:
    """Of one person by themselves, with what changed; of more by their number."""
    for row in rows:
        seen.see(row.pk, row.person_id, row.fields)
    if len(rows) > 1:
        columns = sorted({column for row in rows for column in row.fields})
        record(Verb.PEOPLE_CHANGED, about, facts={"people": len(rows), "columns": columns} | seen.facts())
        return
    [row] = rows
    email = after[row.person_id]["email"]
    record(
        Verb.ADDED if is_new else Verb.CHANGED,
        Person(pk=row.person_id, email=email),
        before=None if is_new else {column: old for column, (old, _) in row.fields.items()},
        after={column: new for column, (_, new) in row.fields.items()},
        facts=seen.facts(),
        email=email,
    )


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """By column, from what to what. What was never there and is empty is no difference."""
    return {
        column: [before.get(column), value]
        for column, value in after.items()
        if before.get(column) != value and not (column not in before and value in (None, "", []))
    }
