"""People from a file or another source that is read whole: plan, apply. All of them take this one path.

What was read is imported completely or not at all. Nothing is written before every row is understood and
the whole plan is known, and the plan that was shown is the plan that is applied.
"""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from directory import former
from directory.bulk import BATCH, batches, insert
from directory.cells import Unreadable
from directory.emails import email_key
from directory.import_plan import FIELDS, NEW, Change, ImportPlan, Options, plain
from directory.models import Conflict, Group, Membership, Person, PersonEmail, Revision, Source
from directory.people_table import Entry, Problem, Reading, in_force, listed, read_people
from directory.progress import Progress, counted, silent
from directory.tabular import read_table
from directory.witnessing import Witness

DROP_PERCENT = 20
"""More of a source's active people than this must not vanish in one import unless a person says so."""

MOST_CONFLICTS = 100
"""Noted of one import."""


class DirectoryChanged(Exception):
    """The directory is no longer as it was when the plan was shown; nothing was written."""


def preview(
    file: str, content: bytes, options: Options, *, now: datetime, tell: Progress = silent
) -> ImportPlan:
    """What `import_people` would do now. Writes nothing."""
    return preview_reading(file, read(content, now=now, tell=tell), options, now=now, tell=tell)


def preview_reading(
    name: str, reading: Reading, options: Options, *, now: datetime, tell: Progress = silent
) -> ImportPlan:
    return _plan(name, reading, options, now, tell)


def import_people(
    file: str,
    content: bytes,
    options: Options,
    *,
    now: datetime,
    digest: str | None = None,
    tell: Progress = silent,
) -> ImportPlan:
    """Apply the plan if it is acceptable, in one transaction. `digest`: the plan that a person was shown.

    Raises DirectoryChanged when the plan is not that one.
    """
    return import_reading(file, read(content, now=now, tell=tell), options, now=now, digest=digest, tell=tell)


def import_reading(
    name: str,
    reading: Reading,
    options: Options,
    *,
    now: datetime,
    digest: str | None = None,
    tell: Progress = silent,
) -> ImportPlan:
    """The same, with what was read from a file or from somewhere else."""
    try:
        with together():
            # Two imports into one source wait for each other here.
            list(Source.objects.select_for_update().filter(name=options.source))
            plan = _plan(name, reading, options, now, tell)
            if digest is not None and plan.digest != digest:
                raise DirectoryChanged("The directory changed since the preview. Look at the new one.")
            if plan.acceptable:
                _record(plan, reading, *_apply(plan, now, tell))
            if plan.applied or plan.errors:
                note_conflicts(plan, now=now)
    except IntegrityError as error:
        raise DirectoryChanged("The directory changed during the import. Import again.") from error
    return plan


def read(content: bytes, *, now: datetime, tell: Progress = silent) -> Reading:
    """A file's people. Takes longest of all, and no look at the database."""
    try:
        reading = read_people(read_table(content, tell), now, tell)
    except Unreadable as error:
        reading = Reading(errors=[Problem(None, None, str(error))])
    reading.sha256 = hashlib.sha256(content).hexdigest()
    return reading


@dataclass(slots=True)
class _Present:
    """What the directory holds before the import. `people`: those of the source, by their primary e-mail."""

    people: dict[str, int] = field(default_factory=dict)
    by_external_id: dict[str, int] = field(default_factory=dict)
    values: dict[int, dict[str, Any]] = field(default_factory=dict)
    holders: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    new_groups: dict[str, str] = field(default_factory=dict)

    def group(self, name: str) -> str:
        """The group's name as the directory writes it, or as the file first did."""
        key = name.casefold()
        return self.groups.get(key) or self.new_groups.setdefault(key, name)


def _plan(file: str, reading: Reading, options: Options, now: datetime, tell: Progress) -> ImportPlan:
    plan = ImportPlan(file, options, reading.rows, warnings=reading.warnings, errors=reading.errors)
    source = Source.objects.filter(name=options.source).first()
    if source and source.kind != options.kind:
        plan.errors.append(Problem(None, None, _another_kind(source, options)))
    if plan.errors:
        return plan
    present = _load(source)
    changes = _changes(reading, present, tell)
    named = {change.person_id for change in changes}
    if options.kind == Source.Kind.LDAP:
        changes = _without_contested(changes, present, plan)
    plan.errors += sorted(_conflicts(changes, present), key=lambda problem: problem.row or 0)
    if plan.errors:
        plan.contested += [(address, holder[0]) for _, address, holder in _contested(changes, present, plan)]
        return plan
    absent = [
        (person_id, values)
        for person_id, values in present.values.items()
        if person_id not in named and values["external_id"] not in reading.unchanged_ids
    ]
    changes += [
        Change(person_id, (), values, {**values, "active": False})
        for person_id, values in absent
        if options.replace and values["active"]
    ]
    _sort(changes, plan)
    plan.untouched = len(present.people) - len(plan.changed) - len(plan.deactivated) - plan.unchanged
    plan.groups_made = sorted(present.new_groups.values(), key=str.casefold)
    _warn_of_inactive(reading, changes, plan)
    _guard(plan, present, now)
    return plan


def _without_contested(changes: Sequence[Change], present: _Present, plan: ImportPlan) -> list[Change]:
    """A server cannot be repaired like a file, and one person of another source must not keep out everybody
    else: who is wanted by two is left as they are known, until somebody settles it.
    """
    found = list(_contested(changes, present, plan))
    for change, address, holder in found:
        known = "left as known" if change.before else "not added"
        plan.contested.append((address, holder[0]))
        plan.warnings.append(
            f"{change.after['email']} is {known}: {address} belongs to {holder[1]} of source {holder[2]!r}. "
            "Conflicts has the two."
        )
    left_out = {id(change) for change, _, _ in found}
    return [change for change in changes if id(change) not in left_out]


def _contested(
    changes: Sequence[Change], present: _Present, plan: ImportPlan
) -> Iterator[tuple[Change, str, tuple[int, str, str]]]:
    """Addresses that are wanted for somebody, and that a person of another source has."""
    for change in changes:
        kept = _keys(change.before)
        for address in (change.after["email"], *change.after["aliases"]):
            key = email_key(address)
            holder = present.holders.get(key)
            if holder and key not in kept and holder[2] != plan.options.source:
                yield change, address, holder


def note_conflicts(plan: ImportPlan, *, now: datetime) -> None:
    """For a person to settle. Of a file that names many, the first: it is one for another source."""
    if not plan.contested:
        return
    options = plan.options
    source, _ = Source.objects.get_or_create(name=options.source, defaults={"kind": options.kind})
    for address, holder_id in plan.contested[:MOST_CONFLICTS]:
        Conflict.objects.note(source, address, Person.objects.get(pk=holder_id), now=now)


def _another_kind(source: Source, options: Options) -> str:
    kind = source.get_kind_display()
    if options.kind == Source.Kind.FILE:
        return f"Source {source.name!r} is not filled from files but is a {kind!r} one. Name another source."
    return f"Source {source.name!r} is a {kind!r} one, and not {str(Source.Kind(options.kind).label)!r}."


def _load(source: Source | None) -> _Present:
    """In four queries, however many people there are."""
    present = _Present(
        groups={name.casefold(): name for name in Group.objects.values_list("name", flat=True)}
    )
    addresses: dict[int, dict[str, str]] = defaultdict(dict)
    holders = PersonEmail.objects.values_list(
        "key", "address", "person_id", "person__email", "person__source__name"
    )
    for key, address, person_id, email, source_name in holders.iterator():
        addresses[person_id][key] = address
        present.holders[key] = (person_id, email, source_name)
    groups: dict[int, list[str]] = defaultdict(list)
    memberships = Membership.objects.filter(person__source=source).values_list("person_id", "group__name")
    for person_id, name in memberships.iterator():
        groups[person_id].append(name)
    for person_id, *fields in Person.objects.filter(source=source).values_list("pk", *FIELDS).iterator():
        values = dict(zip(FIELDS, fields, strict=True))
        primary = email_key(values["email"])
        present.people[primary] = person_id
        if values["external_id"]:
            present.by_external_id[values["external_id"]] = person_id
        values["groups"] = _in_order(groups[person_id])
        values["aliases"] = tuple(
            address for key, address in sorted(addresses[person_id].items()) if key != primary
        )
        present.values[person_id] = values
    return present


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=str.casefold))


def _aliases(addresses: Iterable[str], primary: str) -> tuple[str, ...]:
    keys = {email_key(address): address for address in addresses}
    return tuple(keys[key] for key in sorted(keys) if key != primary)


def _changes(reading: Reading, present: _Present, tell: Progress) -> list[Change]:
    ids = {entry.values["external_id"] for entry in reading.entries if "external_id" in entry.values}
    ids |= reading.unchanged_ids
    claimed = {entry.key for entry in reading.entries}
    claimed |= {email_key(alias) for entry in reading.entries for alias in entry.values.get("aliases", ())}
    entries = counted(reading.entries, "Comparing with the directory", tell)
    return [_change(entry, _who(entry, present, ids), present, claimed) for entry in entries]


def _who(entry: Entry, present: _Present, ids: set[str]) -> int | None:
    """Who it is, by the source's id and else by the e-mail. Somebody whose id is still in use is another one,
    whose e-mail went to this one.
    """
    external_id = entry.values.get("external_id", "")
    if known := present.by_external_id.get(external_id):
        return known
    person_id = present.people.get(entry.key)
    if person_id and external_id and present.values[person_id]["external_id"] in ids:
        return None
    return person_id


def _change(entry: Entry, person_id: int | None, present: _Present, claimed: set[str]) -> Change:
    """What the file says over what is known. New people are active unless the file says otherwise.

    `claimed`: the addresses that the file gives to somebody.
    """
    before = present.values[person_id] if person_id else {}
    said = dict(entry.values)
    if before and "aliases" not in said and email_key(before["email"]) not in claimed:
        # Somebody with a new e-mail is still known by the old one where they have an account.
        said["aliases"] = (*before["aliases"], before["email"])
    if "groups" in said:
        said["groups"] = _in_order(map(present.group, said["groups"]))
    if "aliases" in said:
        said["aliases"] = _aliases(said["aliases"], entry.key)
    return Change(person_id, entry.rows, before, {**(before or NEW), **said})


def _conflicts(changes: Sequence[Change], present: _Present) -> Iterator[Problem]:
    """Dates in the wrong order, and addresses that two people would hold."""
    owners = {email_key(change.after["email"]): change for change in changes}
    released = {key for change in changes for key in _keys(change.before) - _keys(change.after)}
    for change in changes:
        yield from _wrong_dates(change)
        kept = _keys(change.before)
        if email_key(change.after["email"]) not in kept:
            yield from _held(change.after["email"], change, "email", released, present)
        for alias in change.after["aliases"]:
            other = owners.setdefault(email_key(alias), change)
            if email_key(alias) in kept:
                continue
            if other is not change:
                place = f" in row {other.row}" if other.row else ""
                yield _problem(
                    change, "aliases", f"{alias} already belongs to {other.after['email']}{place}."
                )
            else:
                yield from _held(alias, change, "aliases", released, present)


def _keys(values: dict[str, Any]) -> set[str]:
    """Of all addresses, the primary one included."""
    return {email_key(address) for address in (*values["aliases"], values["email"])} if values else set()


def _problem(change: Change, column: str, detail: str) -> Problem:
    """Where it is: in its row, and without one with its person."""
    return Problem(change.row, column, detail if change.row else f"{change.after['email']}: {detail}")


def _wrong_dates(change: Change) -> Iterator[Problem]:
    start, end = change.after["start_date"], change.after["end_date"]
    if start and end and end < start:
        yield _problem(change, "end_date", f"The end date {end} is before the start date {start}.")


def _held(
    address: str, change: Change, column: str, released: set[str], present: _Present
) -> Iterator[Problem]:
    """A problem if somebody of the directory holds the address and this file does not take it from them."""
    key = email_key(address)
    holder = present.holders.get(key)
    if holder is None or key in released or holder[0] == change.person_id:
        return
    _, email, source = holder
    belongs = "belongs" if email_key(email) == key else "belongs as an alias"
    yield _problem(change, column, f"{address} already {belongs} to {email} of source {source!r}.")


def _sort(changes: Sequence[Change], plan: ImportPlan) -> None:
    for change in changes:
        if not change.before:
            plan.added.append(change)
        elif not change.fields:
            plan.unchanged += 1
        elif change.deactivates:
            plan.deactivated.append(change)
        else:
            plan.changed.append(change)


def _warn_of_inactive(reading: Reading, changes: Sequence[Change], plan: ImportPlan) -> None:
    """Someone who returns must not stay out unnoticed because the file does not speak of it."""
    silent = {entry.key for entry in reading.entries if "active" not in entry.values}
    inactive = [
        change.after["email"]
        for change in changes
        if not change.after["active"] and email_key(change.after["email"]) in silent
    ]
    if inactive:
        shown = inactive if len(inactive) <= 5 else [*inactive[:5], f"{len(inactive) - 5} more"]
        plan.warnings.append(
            f"{listed(shown)}: inactive in the directory, and still so after this import, because "
            "the file does not say who is active."
        )


def _guard(plan: ImportPlan, present: _Present, now: datetime) -> None:
    """Stop a truncated or emptied file, which looks exactly like everybody leaving."""
    active = sum(in_force(values, now) for values in present.values.values())
    plan.dropped = sum(
        in_force(change.before, now) and not in_force(change.after, now)
        for change in plan.changed + plan.deactivated
    )
    what = "the file" if plan.options.kind == Source.Kind.FILE else "the source"
    of_them = f"of {active} active people of source {plan.options.source!r}"
    if plan.options.allow_drop:
        return
    if plan.options.replace and plan.rows == 0:
        detail = f"The file names nobody, and {plan.dropped} {of_them} would be deactivated."
    elif plan.dropped * 100 > active * DROP_PERCENT:
        detail = f"{plan.dropped} {of_them} would lose access at once, which is more than {DROP_PERCENT} %."
    else:
        return
    plan.refusal = Problem(None, None, f"{detail} Check {what}; if it is right, allow the drop.")


def _apply(plan: ImportPlan, now: datetime, tell: Progress) -> tuple[Source, Witness]:
    options = plan.options
    source, _ = Source.objects.get_or_create(name=options.source, defaults={"kind": options.kind})
    Group.objects.bulk_create([Group(name=name) for name in plan.groups_made], batch_size=BATCH)
    groups, seen = dict(Group.objects.values_list("name", "pk")), Witness(now, _who_says(plan))
    known = list(batches(plan.changed + plan.deactivated))
    for changes in known:  # all of them first, for what one gives up another one may get
        _clear(changes)
    for changes in counted([*batches(plan.added), *known], "Writing", tell, step=1):
        _write(changes, source, groups, now)
        _write_history(changes, seen)
    if plan.options.allow_drop and plan.dropped:
        source.allow_drop(now=now)
    plan.applied = True
    return source, seen


def _record(plan: ImportPlan, reading: Reading, source: Source, seen: Witness) -> None:
    """One entry for all of it; where it is of one person alone, with what changed of them."""
    changes, options = plan.changes, plan.options
    numbers = {name: len(getattr(plan, name)) for name in ("added", "changed", "deactivated")}
    numbers |= {"rows": plan.rows, "unchanged": plan.unchanged, "untouched": plan.untouched}
    from_ = {"file": plan.file, "sha256": reading.sha256} if reading.sha256 else {"server": plan.file}
    how = {"replace": options.replace, "allow_drop": options.allow_drop, "dropped": plan.dropped}
    made = {"groups_made": plan.groups_made} if plan.groups_made else {}
    [alone] = changes if len(changes) == 1 else [None]
    record(
        Verb.PEOPLE_IMPORTED,
        source,
        before={column: plain(old) for column, old, _ in alone.fields} if alone and alone.before else None,
        after={column: plain(new) for column, _, new in alone.fields} if alone else None,
        facts={**from_, **numbers, **how, **made, **seen.facts()},
        email=alone.after["email"] if alone else "",
    )


def _clear(changes: Sequence[Change]) -> None:
    moved = [change.person_id or 0 for change in changes if change.is_about("email", "aliases")]
    PersonEmail.objects.filter(person_id__in=moved).delete()
    regrouped = [change.person_id or 0 for change in changes if change.is_about("groups")]
    Membership.objects.filter(person_id__in=regrouped).delete()


def _write(changes: Sequence[Change], source: Source, groups: dict[str, int], now: datetime) -> None:
    for change, person_id in zip(changes, _write_people(changes, source, now), strict=True):
        change.person_id = person_id
    insert(
        PersonEmail,
        ("person_id", "key", "address"),
        [
            (change.person_id, email_key(address), address)
            for change in changes
            if change.is_about("email", "aliases")
            for address in (change.after["email"], *change.after["aliases"])
        ],
    )
    insert(
        Membership,
        ("person_id", "group_id"),
        [
            (change.person_id, groups[name])
            for change in changes
            if change.is_about("groups")
            for name in change.after["groups"]
        ],
    )


def _who_says(plan: ImportPlan) -> str:
    """For the history of people."""
    pulled = plan.options.kind == Source.Kind.LDAP
    what = f"{'pull' if pulled else 'import'} of {plan.file} into {plan.options.source}"
    return (f"{plan.options.by}, {what}" if plan.options.by else what)[: Revision.LONGEST_BY]


def _write_history(changes: Sequence[Change], seen: Witness) -> None:
    said = [(change.person_id or 0, change.as_json()["fields"]) for change in changes]
    rows = [(person_id, seen.at, seen.by, fields) for person_id, fields in said]
    numbers = insert(Revision, ("person_id", "at", "by", "fields"), rows)
    for number, (person_id, fields) in zip(numbers, said, strict=True):
        seen.see(number, person_id, fields)
    former.remember(said)


def _write_people(changes: Sequence[Change], source: Source, now: datetime) -> list[int]:
    """All new, or all known. Answers with their ids."""
    columns = (*FIELDS, "source_id", "public_id", "created_at", "updated_at")
    rows = [
        (*(change.after[name] for name in FIELDS), source.pk, uuid.uuid4(), now, now) for change in changes
    ]
    if not changes[0].person_id:
        return insert(Person, columns, rows)
    known = [(change.person_id, *row) for change, row in zip(changes, rows, strict=True)]
    # An upsert of rows that exist: bulk_update says the same in CASE expressions, many times slower.
    return insert(Person, ("id", *columns), known, update=(*FIELDS, "updated_at"))
