"""Find among a million actions, newest first, whatever is asked together with whatever else.

What may be narrow - a person, a name, the jobs of somebody - is looked up first: a few thousand actions are
then known by their ids. What is wide is found by walking through one index by time, in which all the plain
columns stand (action_by_time), until a page is full; a walk that finds nothing reads that index and no row.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Exists, F, Func, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast, Lower
from django.utils import timezone

from cakewalk.models import User
from cakewalk.portions import growing
from provisioning.actions import Kind
from provisioning.models import Action, ProvisioningJob
from provisioning.search.mentions import HELD, RULES
from provisioning.search.models import Mention, Name
from provisioning.search.question import CHANGES, MARK, Question
from provisioning.search.whom import NARROW, Whom, address_begins, known_as, meant_by

FEW_NAMES = 5

OPEN = (Action.State.PLANNED, Action.State.HELD, Action.State.STARTED)
CHUNK = 1000
EVERYTHING = 10**9
"""With a limit, PostgreSQL answers an inner question once, and not for each row of the outer one."""


Rows = QuerySet[Any]
"""Of actions. Django's types know nothing of columns that stand for others."""


class Place(NamedTuple):
    """Where an action stands in what is found. Those that have not ended have no moment, and come first."""

    at: datetime | None
    pk: int


class Bare(Func):
    """A column as it is, for which SQLite takes no index: it cannot tell how many rows are alike."""

    arity = 1
    template = "%(expressions)s"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="+%(expressions)s", **context)


# -- in their order


def places(question: Question, rows: Rows, after: Place | None, number: int) -> list[Place]:
    """So many that are found at most, after one of them: the open ones, then the ended by their end."""
    found: list[Place] = []
    if after is None or after.at is None:
        waiting = _open(question, rows)
        if after:
            waiting = waiting.filter(pk__lt=after.pk)
        # By the moment that they do not have as well, or PostgreSQL would walk through all by their ids.
        newest = waiting.order_by(F("finished_at").desc(), "-pk")
        found = [Place(None, pk) for pk in newest.values_list("pk", flat=True)[:number]]
        after = None
    if len(found) < number and question.state not in OPEN:
        ended = _ended(question, rows, after).order_by(F("finished_at").desc(), "-pk")
        found += [Place(*one) for one in ended.values_list("finished_at", "pk")[: number - len(found)]]
    return found


def _open(question: Question, rows: Rows) -> Rows:
    """They have no end yet, and belong to the time when they were planned."""
    rows = rows.filter(finished_at__isnull=True)
    if question.since:
        rows = rows.filter(job__planned_at__gte=question.since)
    return rows.filter(job__planned_at__lt=question.until) if question.until else rows


def _ended(question: Question, rows: Rows, after: Place | None) -> Rows:
    rows = rows.filter(finished_at__isnull=False)
    if question.since:
        rows = rows.filter(finished_at__gte=question.since)
    if question.until:
        rows = rows.filter(finished_at__lt=question.until)
    if after and after.at:
        rows = rows.filter(Q(finished_at__lt=after.at) | Q(pk__lt=after.pk), finished_at__lte=after.at)
    return rows


def one_by_one(question: Question, rows: Rows) -> Iterator[Action]:
    """All that are found, however many, in portions. What ends meanwhile is told once, as open."""
    now = timezone.now()
    question = replace(question, until=min(question.until or now, now))
    after: Place | None = None
    for size in growing(CHUNK):
        found = places(question, rows, after, size)
        if not found:
            return
        yield from in_order(found)
        after = found[-1]


def in_order(found: Sequence[Place]) -> list[Action]:
    people = ("requested_by", "approved_by", "rejected_by", "cancelled_by")
    related = ("job__integration", *(f"job__{who}" for who in people))
    rows = Action.objects.select_related(*related).in_bulk([place.pk for place in found])
    return [rows[place.pk] for place in found if place.pk in rows]


# -- what is asked


def whom(question: Question) -> Whom | None:
    if question.person:
        return known_as([question.person])
    return meant_by(question.who) if question.who.strip() else None


def matching(question: Question, about: Whom | None) -> Rows:
    """`about`: whom the question means, if it means somebody."""
    bare = {f"bare_{name}": Bare(F(name)) for name in ("pk", "kind", "situation", "state", "proposed", "job")}
    jobs = _jobs(question)
    rows = _of_jobs(_plain(Action.objects.alias(**bare), question), jobs)
    narrow: set[int] | None = None
    for few, condition in _lookups(question, about, jobs):
        if len(few) > NARROW:
            rows = rows.filter(condition)
        else:
            narrow = few if narrow is None else narrow & few
    return rows if narrow is None else rows.filter(pk__in=narrow)


def _plain(rows: Rows, question: Question) -> Rows:
    if question.kind == CHANGES:
        rows = rows.exclude(bare_kind=Kind.REPORT)
    elif question.kind:
        rows = rows.filter(bare_kind=question.kind)
    if question.situation:
        rows = rows.filter(bare_situation=question.situation)
    match question.state:
        case "":
            return rows
        case "proposed":
            return rows.filter(bare_proposed=True)
        case "reported":
            return rows.filter(bare_proposed=False, bare_kind=Kind.REPORT)
    return rows.filter(bare_proposed=False, bare_state=question.state).exclude(bare_kind=Kind.REPORT)


Jobs = Sequence[int] | QuerySet[Any] | None
"""By their ids, where they are few enough; None where any will do that was more than a preview."""


def _of_jobs(rows: Rows, jobs: Jobs) -> Rows:
    if jobs is not None:
        return rows.filter(bare_job__in=jobs)
    return rows.exclude(bare_job__in=ProvisioningJob.objects.filter(preview=True).values("pk"))


def _jobs(question: Question) -> Jobs:
    if not (question.by or question.integration or question.previews):
        return None
    jobs = ProvisioningJob.objects.filter(preview=question.previews)
    if question.integration:
        jobs = jobs.filter(integration=question.integration)
    if question.by.startswith(MARK):
        jobs = jobs.filter(trigger=question.by.removeprefix(MARK))
    elif question.by:
        jobs = jobs.filter(_decided(question.by, question.part))
    few = list(jobs.values_list("pk", flat=True)[: NARROW + 1])
    return few if len(few) <= NARROW else jobs.values("pk")


def _decided(username: str, part: str) -> Q:
    """Who overrides one of several holds has approved as well, and stands by name among the overrides."""
    user = User.objects.filter(username=username).values_list("pk", flat=True).first()
    parts = {
        "requested": Q(requested_by=user or 0),
        "approved": Q(approved_by=user or 0) | Q(pk__in=_overridden_by(username)),
        "rejected": Q(rejected_by=user or 0),
        "cancelled": Q(cancelled_by=user or 0),
    }
    if part in parts:
        return parts[part]
    return parts["requested"] | parts["approved"] | parts["rejected"] | parts["cancelled"]


def _overridden_by(username: str) -> list[int]:
    named = ProvisioningJob.objects.exclude(overrides=[]).alias(text=Cast("overrides", TextField()))
    return list(named.filter(text__contains=f'"by": "{username}"').values_list("pk", flat=True))


Lookup = tuple[set[int], Any]
"""The ids of what is found, one more than NARROW where it is more; and the same as a condition."""


def _lookups(question: Question, about: Whom | None, jobs: Jobs) -> Iterator[Lookup]:
    if about is not None:
        yield _by_whom(about)
    if names := [_names(kind, text) for kind, text in _asked(question)]:
        yield _by_names(names)
    if jobs is not None:
        yield _ids(Action.objects.filter(job__in=jobs)), Q()  # they are asked for already


def _by_whom(about: Whom) -> Lookup:
    lowered = Action.objects.alias(lower=Lower("email"))
    parts: list[tuple[Rows, Q]] = [
        (Action.objects.filter(person__in=about.people), Q(person__in=about.people)),
        (Action.objects.filter(account_id__in=about.accounts), Q(account_id__in=about.accounts)),
        (lowered.filter(lower__in=about.addresses), Q(lower__in=about.addresses)),
    ]
    if about.begins:
        begins = address_begins(Action.objects.all(), about.begins)
        parts.append((begins, Q(pk__in=begins.values("pk"))))
    ids: set[int] = set()
    condition = Q()
    for rows, one in parts:
        ids |= _ids(rows)
        condition |= one
    return ids, Q(bare_pk__in=lowered.filter(condition).values("pk")[:EVERYTHING])


def _by_names(asked: Sequence[Sequence[int]]) -> Lookup:
    """`asked`: of each question for a name those that are meant. All of the questions must be met."""
    first, *others = (_mentions(names) for names in asked)
    for other in others:
        first = first.filter(Exists(other.filter(action=OuterRef("action"))))
    ids = set(first.order_by().values_list("action_id", flat=True).distinct()[: NARROW + 1])
    condition = Q()
    for names in asked:
        condition &= Q(Exists(_mentions(names).filter(action=OuterRef("pk"))))
    return ids, condition


def _mentions(names: Sequence[int]) -> QuerySet[Mention]:
    """Of a few names they are looked up by each, of many by the action."""
    if len(names) <= FEW_NAMES:
        return Mention.objects.filter(name__in=names)
    return Mention.objects.alias(bare_name=Bare(F("name"))).filter(bare_name__in=names)


def _ids(rows: Rows) -> set[int]:
    return set(rows.order_by().values_list("pk", flat=True)[: NARROW + 1])


def _asked(question: Question) -> list[tuple[str, str]]:
    return [(kind, text) for kind, text in ((RULES, question.rule), (HELD, question.held)) if text.strip()]


def _names(kind: str, text: str) -> list[int]:
    """Those called just so, also as one of several of an action; else those that contain the text."""
    wanted = text.strip().casefold()
    known = Name.objects.filter(kind=kind).values_list("pk", "text")
    contain = [(pk, name.casefold()) for pk, name in known if wanted in name.casefold()]
    exact = [pk for pk, name in contain if f", {wanted}, " in f", {name}, "]
    return exact or [pk for pk, _ in contain]
