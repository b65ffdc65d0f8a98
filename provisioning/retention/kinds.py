"""What is kept for how long: each kind of rows, which of them are old, and which of those may go."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import Exists, F, Max, Min, Model, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cakewalk.encryption import EncryptedTextField
from cakewalk.ledger.models import Entry, Head, Pruning, Verification
from directory.models import Revision
from integrations.models import KeyLink, Rotation
from provisioning.alarms.models import Alarm
from provisioning.models import Account, Action, Entitlement, Key, PersonChange, ProvisioningJob
from provisioning.retention import needed

AT_A_TIME = 500
"""Rows, or jobs, that are looked up at once."""

Line = tuple[str, Mapping[str, Any]]
"""The name of a table, and a row of it by column."""


class Kind:
    """Rows of one model. `moment`: the column that tells how old one is. `hidden`: columns that are written
    into no file, beside encrypted ones. `days`: kept so long where nobody has said otherwise, None for ever.
    """

    key: str
    label: str | Promise
    says: str | Promise
    model: type[Model]
    moment: str
    hidden: tuple[str, ...] = ()
    days: int | None = 400
    is_evidence = True
    is_exported = True
    is_numbered = False
    """Whether there is a quicker way to their number than to count them."""

    def rows(self) -> QuerySet[Any]:
        return self.model._base_manager.all()

    def there(self) -> QuerySet[Any]:
        """Of which it is told how many there are."""
        return self.rows()

    def number(self, since: datetime | None = None) -> int:
        """How many there are, or are no older."""
        return self.there().filter(**({f"{self.moment}__gte": since} if since else {})).count()

    def old(self, before: datetime) -> QuerySet[Any]:
        """Over, and for longer than since then."""
        return self.rows().filter(**{f"{self.moment}__lt": before})

    def going(self, before: datetime) -> Iterator[Sequence[Any]]:
        """The keys of those that may go, some at a time."""
        yield from _some_at_a_time(self.old(before))

    def lines(self, keys: Sequence[Any]) -> Iterator[Line]:
        """As they are written into a file: what belongs to a row before the row itself."""
        yield from _lines(self.model, self.rows().filter(pk__in=keys), hidden=self.hidden)

    def facts(self, keys: "Span") -> dict[str, Any]:
        """What the ledger tells of these beside their number."""
        return {"first": keys.first, "last": keys.last}

    def delete(self, keys: Sequence[Any], before: datetime) -> None:
        """Those that may still go."""
        self.old(before).filter(pk__in=keys).delete()

    def begins(self) -> datetime | None:
        found: datetime | None = self.rows().aggregate(first=Min(self.moment))["first"]
        return found


class Span:
    """The keys that go. Each `number` only where it is told, for there may be millions."""

    def __init__(self, *, with_numbers: bool = False) -> None:
        self._with_numbers = with_numbers
        self.numbers: list[Any] = []
        self.number = 0
        self.first: Any = None
        self.last: Any = None

    def add(self, keys: Sequence[Any]) -> None:
        self.number += len(keys)
        if self._with_numbers:
            self.numbers += keys
        self.first = min(keys) if self.first is None else min(self.first, *keys)
        self.last = max(keys) if self.last is None else max(self.last, *keys)


class Entries(Kind):
    key, label = "ledger", _("Ledger entries")
    says = _("From the beginning of the chain up to a day: what remains still proves itself.")
    model, moment, days, is_numbered = Entry, "at", None, True

    def number(self, since: datetime | None = None) -> int:
        """By their numbers, for there may be millions."""
        first = Entry.objects.filter(at__gte=since).order_by("at").first() if since else None
        if since and first is None:
            return 0
        head = Head.objects.filter(pk=1).first() or Head()
        return head.seq - (first.seq - 1 if first else Pruning.begin().seq)

    def old(self, before: datetime) -> QuerySet[Any]:
        """All before the first younger one, for a chain is cut once."""
        younger = Entry.objects.filter(at__gte=before).aggregate(first=Min("seq"))["first"]
        return Entry.objects.all() if younger is None else Entry.objects.filter(seq__lt=younger)

    def delete(self, keys: Sequence[Any], before: datetime) -> None:
        """What a Pruning row covers; the database refuses more."""
        Entry.objects.filter(seq__in=keys, seq__lte=Pruning.begin().seq).delete()


class Jobs(Kind):
    key, label = "jobs", _("Jobs with their actions")
    says = _(
        "A job goes whole, with every line of its plan, for its digest proves all of them. What is open, and "
        "what the next sync looks back at, stays whatever its age."
    )
    model, moment = ProvisioningJob, "finished_at"

    def old(self, before: datetime) -> QuerySet[Any]:
        ended = ProvisioningJob.objects.exclude(state__in=needed.OPEN)
        return ended.filter(finished_at__lt=before)

    def going(self, before: datetime) -> Iterator[Sequence[int]]:
        """The newest first, so that no job goes before the one that gives back what it took."""
        if not (old := set(self.old(before).values_list("pk", flat=True))):
            return
        going = sorted(needed.with_their_restores(old - needed.needed_jobs()), reverse=True)
        yield from (going[start : start + AT_A_TIME] for start in range(0, len(going), AT_A_TIME))

    def lines(self, keys: Sequence[int]) -> Iterator[Line]:
        for job in ProvisioningJob.objects.filter(pk__in=keys).order_by("-pk"):
            yield from _lines(Action, job.actions.order_by("seq"))
            yield from _lines(PersonChange, job.changes.order_by("pk"))
            yield from _lines(ProvisioningJob, ProvisioningJob.objects.filter(pk=job.pk))

    def facts(self, keys: "Span") -> dict[str, Any]:
        """Each number, so that nobody can hide among them a job that was deleted otherwise."""
        return {**super().facts(keys), "numbers": _runs(sorted(keys.numbers))}

    def delete(self, keys: Sequence[int], before: datetime) -> None:
        locked = self.old(before).filter(pk__in=keys).select_for_update()
        going = needed.with_their_restores(set(locked.values_list("pk", flat=True)))
        _delete_lines(Action.objects.filter(job__in=going))
        PersonChange.objects.filter(job__in=going).delete()
        ProvisioningJob.objects.filter(pk__in=going).delete()


def _delete_lines(rows: QuerySet[Action]) -> None:
    """With whatever hangs on them, and without reading them, as Django would: there may be very many."""
    for relation in Action._meta.related_objects:
        relation.related_model._base_manager.filter(**{f"{relation.field.name}__in": rows}).delete()
    rows._raw_delete(rows.db)


class Revisions(Kind):
    key, label = "revisions", _("Changes of people in the directory")
    says = _("The last word on each group, and on each other column, stays: plans tell reasons from it.")
    model, moment = Revision, "at"

    def old(self, before: datetime) -> QuerySet[Any]:
        newer = Revision.objects.filter(person=OuterRef("person"), pk__gt=OuterRef("pk"))
        return Revision.objects.filter(Exists(newer), at__lt=before)

    def going(self, before: datetime) -> Iterator[Sequence[int]]:
        concerned = self.old(before).order_by("person_id").values_list("person_id", flat=True).distinct()
        people = concerned.iterator(chunk_size=AT_A_TIME)
        while some := list(islice(people, AT_A_TIME)):
            if outdated := [*_outdated(some, before)]:
                yield sorted(outdated)


def _outdated(people: Collection[int], before: datetime) -> Iterator[int]:
    """The old ones of whose every word a newer one tells as well; never the first of anybody."""
    rows = Revision.objects.filter(person__in=people).order_by("person_id", "-pk")
    for _person, theirs in groupby(rows.iterator(chunk_size=2000), key=lambda row: row.person_id):
        told: set[tuple[str, str]] = set()
        outdated = []
        for row in theirs:
            words = set(_words(row.fields))
            if row.at < before and words <= told:
                outdated.append(row.pk)
            told |= words
            oldest = row.pk
        yield from (pk for pk in outdated if pk != oldest)


def _words(fields: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, str]]:
    for column, (was, now) in fields.items():
        if isinstance(was or now, list):
            yield from ((column, name) for name in {*(was or ())} ^ {*(now or ())})
        else:
            yield column, ""


class Gone(Kind):
    """Of things that were seen in a remote, those that are no longer there."""

    moment = "gone_at"

    def there(self) -> QuerySet[Any]:
        return self.rows().filter(gone_at__isnull=False)


class Accounts(Gone):
    key, label = "accounts", _("Accounts that are gone")
    says = _("Counted from when they were last missed. Links made by hand stay, and whoever owes a sweep.")
    model = Account

    def old(self, before: datetime) -> QuerySet[Any]:
        owes = Q(swept_at=None) | Q(swept_at__lt=F("gone_at"))
        removed = Action.objects.filter(
            job__integration=OuterRef("integration"), account_id=OuterRef("remote_id"), kind="remove"
        )
        return (
            super().old(before).exclude(match=Account.Match.MANUAL).exclude(owes, Exists(removed.that_took()))
        )


class Entitlements(Gone):
    key, label = "entitlements", _("Projects, groups and roles that are gone")
    says = _("Counted from when they were last missed.")
    model = Entitlement


class Keys(Gone):
    key, label = "keys", _("Keys that are gone")
    says = _("Counted from when they were last missed.")
    model = Key


class KeyLinks(Kind):
    key, label = "key_links", _("One-time links for keys")
    says = _("Who was asked for a key, and what became of it. Counted from their expiry.")
    model, moment, hidden = KeyLink, "expires_at", ("token_hash",)


class Rotations(Kind):
    key, label = "rotations", _("Replacements of keys")
    says = _("The last one of each integration stays.")
    model, moment = Rotation, "finished_at"

    def old(self, before: datetime) -> QuerySet[Any]:
        newer = Rotation.objects.filter(integration=OuterRef("integration"), pk__gt=OuterRef("pk"))
        ended = super().old(before).exclude(state__in=Rotation.UNFINISHED)
        return ended.filter(Exists(newer))


class Verifications(Kind):
    key, label = "verifications", _("Verifications of the ledger")
    says = _("The last one stays.")
    model, moment = Verification, "at"

    def old(self, before: datetime) -> QuerySet[Any]:
        last = Verification.objects.aggregate(last=Max("pk"))["last"]
        return super().old(before).exclude(pk=last)


class Alarms(Kind):
    key, label = "alarms", _("Alarms that are over")
    says = _("Counted from their all-clear. What was sent of them is forgotten sooner.")
    model, moment = Alarm, "closed_at"


class AdminLog(Kind):
    key, label = "admin_log", _("The admin's own log")
    says = _("What staff changed in forms, as their pages' history shows it.")
    model, moment = LogEntry, "action_time"


class Sessions(Kind):
    key, label = "sessions", _("Sign-in sessions")
    says = _("Counted from their expiry. They hold secrets, so that no file has them, and prove nothing.")
    model, moment, days = Session, "expire_date", 1
    is_evidence = is_exported = False


KINDS: Mapping[str, Kind] = {
    kind.key: kind
    for kind in (
        Entries(),
        Jobs(),
        Revisions(),
        Accounts(),
        Entitlements(),
        Keys(),
        KeyLinks(),
        Rotations(),
        Verifications(),
        Alarms(),
        AdminLog(),
        Sessions(),
    )
}
"""In the order in which they are written and shown."""


def cutoff(days: int, *, now: datetime) -> datetime:
    """What is older goes. Whole days, so that there is one file a day at most."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)


def _some_at_a_time(rows: QuerySet[Any]) -> Iterator[Sequence[Any]]:
    """By their keys, so that what goes meanwhile shifts nothing."""
    ordered, after = rows.order_by("pk"), None
    while True:
        rest = ordered if after is None else ordered.filter(pk__gt=after)
        keys = list(rest.values_list("pk", flat=True)[:AT_A_TIME])
        if not keys:
            return
        yield keys
        after = keys[-1]


def _lines(model: type[Model], rows: QuerySet[Any], hidden: Collection[str] = ()) -> Iterator[Line]:
    columns = [
        field.attname
        for field in model._meta.concrete_fields
        if field.attname not in hidden and not isinstance(field, EncryptedTextField)
    ]
    name = model._meta.label_lower
    ordered = rows if rows.query.order_by else rows.order_by("pk")
    for row in ordered.values(*columns).iterator(chunk_size=2000):
        yield name, row


def _runs(numbers: Iterable[int]) -> list[list[int]]:
    """First and last of each row of neighbours."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return found
