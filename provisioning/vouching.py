"""Whether jobs and their actions are what the ledger says of them: the chain proves only itself.

Rows and entries are read some jobs at a time, while others work. What does not agree is therefore looked at
again, alone and at one moment, before it is told.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice
from typing import Any

from django.db.models import Max

from cakewalk.ledger.chain import Break, Fault, moment
from cakewalk.ledger.models import Entry
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from provisioning import sealing, stories
from provisioning.actions import Situation
from provisioning.fingerprints import Fingerprint, differing, like
from provisioning.models import Action, ProvisioningJob
from provisioning.moments import one_moment
from provisioning.stories import Story, Told, story_of

JOBS_AT_A_TIME = 200
TELL_EVERY = 20_000
MOST_TOLD_OF_A_JOB = 10
"""Of a job that is altered from end to end, more would tell no more."""
LONGEST_VALUE = 80

JOB, LINE = ProvisioningJob._meta.label_lower, Action._meta.label_lower

Say = Callable[[int, int], None]
"""How many actions were compared, of about how many."""

Row = Mapping[str, Any]


def altered(say: Say = lambda _done, _all: None) -> Iterator[Break | int]:
    """Whatever is not as the ledger has it, job by job; then how many actions were compared."""
    first = Entry.objects.order_by("seq").first()
    if first is None:
        yield 0
        return
    last = ProvisioningJob.objects.aggregate(last=Max("pk"))["last"] or 0
    known, tally = _Known.since(first), _Tally(say, Action.objects.count())
    yield from _gone()
    for jobs in _some_at_a_time(last):
        for number in list(_suspicious(jobs, known, tally)):
            with one_moment():
                found = {one.detail: one for one in _breaks_of(number, known)}
            yield from islice(found.values(), MOST_TOLD_OF_A_JOB)
    yield tally.number


@dataclass(frozen=True, slots=True)
class _Known:
    """From which moment and which job on the ledger knows of all: it was begun then, or its beginning was
    pruned. `users`: names by number, of those that there are.
    """

    at: datetime
    job: int | None
    users: Mapping[int, str]

    @classmethod
    def since(cls, first: Entry) -> "_Known":
        asked = Entry.objects.filter(verb=Verb.JOB_REQUESTED).order_by("seq").first()
        users = dict(User.objects.values_list("pk", "username"))
        return cls(first.at, int(asked.object_id) if asked else None, users)

    def ought_to_be_told_of(self, job: Row) -> bool:
        """By its time, and by its number, which is less easily made up."""
        return job["requested_at"] >= moment(self.at) or (self.job is not None and job["pk"] >= self.job)


class _Tally:
    def __init__(self, say: Say, expected: int) -> None:
        self.number = 0
        self._say, self._expected = say, expected

    def counted(self, rows: Iterator[Any]) -> Iterator[Any]:
        for row in rows:
            self.number += 1
            if self.number % TELL_EVERY == 0:
                self._say(self.number, self._expected)
            yield row


# -- jobs that are no more


def _gone() -> Iterator[Break]:
    pruned = [*_pruned()]
    for seq, number in _without_a_row():
        if not any(first <= number <= end for first, end in pruned):
            yield Break(seq, Fault.MISSING, f"Job {number} is gone, which entry {seq} tells of.")


def _without_a_row() -> Iterator[tuple[int, int]]:
    """Entries by which the ledger knows of jobs, and their numbers."""
    asked = Entry.objects.filter(verb=Verb.JOB_REQUESTED).order_by("seq").values_list("seq", "object_id")
    after = 0
    while some := [(seq, int(number)) for seq, number in asked.filter(seq__gt=after)[:JOBS_AT_A_TIME]]:
        rows = ProvisioningJob.objects.filter(pk__in=[number for _, number in some])
        there = set(rows.values_list("pk", flat=True))
        yield from ((seq, number) for seq, number in some if number not in there)
        after = some[-1][0]


def _pruned() -> Iterator[tuple[int, int]]:
    """Numbers of jobs, from and to, that retention let go."""
    for entry in Entry.objects.filter(verb=Verb.HISTORY_PRUNED).order_by("seq"):
        facts = entry.told().get("facts", {})
        if facts.get("kind") == "jobs":
            yield from ((first, last) for first, last in facts["numbers"])


# -- jobs that are there


def _some_at_a_time(last: int) -> Iterator[Sequence[Row]]:
    """Up to the last one there was a moment ago."""
    after = 0
    rows = ProvisioningJob.objects.filter(pk__lte=last).order_by("pk")
    while some := _rows(rows.filter(pk__gt=after)[:JOBS_AT_A_TIME]):
        yield some
        after = some[-1]["pk"]


def _rows(jobs: Any) -> Sequence[Row]:
    """Moments as they are told."""
    return [
        {name: moment(value) if isinstance(value, datetime) else value for name, value in job.items()}
        for job in jobs.values("pk", *stories.COLUMNS)
    ]


def _suspicious(jobs: Sequence[Row], known: _Known, tally: _Tally) -> Iterator[int]:
    """Numbers of those of which something does not agree."""
    told = _told_of([job["pk"] for job in jobs])
    sums = {number: _Sums(story) for number, story in told.items()}
    for row in tally.counted(_lines_of([*told])):
        sums[row[0]].add(row)
    for job in jobs:
        number = job["pk"]
        if number not in told:
            wrong = known.ought_to_be_told_of(job)
        else:
            differs = any(stories.differences(job, told[number], known.users))
            wrong = differs or any(sums[number].differing())
        if wrong:
            yield number


def _told_of(numbers: Sequence[int]) -> dict[int, Story]:
    """What the ledger tells of these jobs, by their numbers."""
    entries = Entry.objects.filter(object_kind=JOB, object_id__in=[str(number) for number in numbers])
    told = sorted((int(entry.object_id), entry.seq, entry.verb, entry.told()) for entry in entries)
    return {
        number: story_of(entry[1:] for entry in of_one)
        for number, of_one in groupby(told, lambda one: one[0])
    }


COLUMNS = ("job_id", *sealing.OUTCOME_FIELDS, *sealing.PLAN_FIELDS, *sealing.OF_A_GROUP)
OUTCOME = slice(1, 1 + len(sealing.OUTCOME_FIELDS))


def _lines_of(jobs: Sequence[int]) -> Iterator[Any]:
    rows = Action.objects.filter(job__in=jobs).order_by("job_id", "seq").values_list(*COLUMNS)
    return rows.iterator(chunk_size=sealing.CHUNK)


@dataclass
class _Sum:
    """Lines of a job, added up as they are now, beside what was told of them. `of`: what of them."""

    of: str
    told: Told
    now: Fingerprint = field(init=False)

    def __post_init__(self) -> None:
        self.now = like(self.told.facts)


NOTHING = Fingerprint(first=1, each=1).result()


class _Sums:
    def __init__(self, story: Story) -> None:
        """A job that is told of from its beginning has no line that is not."""
        begin = Told(story.requested.seq, NOTHING) if story.requested else None
        plan = Told(story.planned.seq, story.planned.facts["plan"]) if story.planned else begin
        sweep = Told(story.swept.seq, story.swept.facts["sweep"]) if story.swept else begin
        self._plan = _Sum("plan", plan) if plan else None
        self._sweep = _Sum("sweep", sweep) if sweep else None
        ended = story.outcomes and not story.is_live
        self._outcomes = _Sum("outcome", story.outcomes) if story.outcomes and ended else None

    def add(self, row: Sequence[Any]) -> None:
        values = dict(zip(COLUMNS, row, strict=True))
        swept = values["situation"] == Situation.LEFT_BEHIND
        if of := self._sweep if swept else self._plan:
            of.now.add(values["seq"], sealing.plan_line(values))
        if self._outcomes:
            self._outcomes.now.add(values["seq"], sealing.outcome_line(row[OUTCOME]))

    def differing(self) -> Iterator[_Sum]:
        """To be asked once."""
        for one in (self._plan, self._sweep, self._outcomes):
            if one and one.now.result()["digest"] != one.told.facts["digest"]:
                yield one


# -- what is wrong with one job


def _breaks_of(number: int, known: _Known) -> Iterator[Break]:
    job = next(iter(_rows(ProvisioningJob.objects.filter(pk=number))), None)
    told = _told_of([number]).get(number)
    if job is None:
        return  # by its entries it is told of as gone
    if told is None:
        if known.ought_to_be_told_of(job):
            yield Break(0, Fault.UNKNOWN, f"Job {number} is not in the ledger.")
        return
    for one in stories.differences(job, told, known.users):
        yield _altered(one.seq, f"Job {number}", one.column, one.stored, one.told)
    sums = _Sums(told)
    for row in _lines_of([number]):
        sums.add(row)
    for differs in sums.differing():
        yield from _in_its_lines(number, differs)


def _altered(seq: int, whose: str, column: str, stored: Any, told: Any) -> Break:
    detail = f"{whose}: {column} is {_shown(stored)}, and entry {seq} says {_shown(told)}."
    return Break(seq, Fault.ALTERED, detail)


def _shown(value: Any) -> str:
    if value in (None, "", [], {}):
        return "empty"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _in_its_lines(number: int, sums: _Sum) -> Iterator[Break]:
    """Which lines they are, as near as it can be told."""
    seq, facts = sums.told
    last = facts["first"] + facts["lines"] - 1
    for some in differing(facts, sums.now):
        rows = {row.seq: row for row in Action.objects.filter(job=number, seq__in=some).order_by("seq")}
        expected = [line for line in some if facts["first"] <= line <= last]
        found = [
            *_gone_lines(number, seq, [line for line in expected if line not in rows]),
            *_unknown_lines(seq, [rows[line] for line in rows if line not in expected], sums.of),
            *(one for line in expected if line in rows for one in _of_line(rows[line])),
        ]
        yield from found or [Break(seq, Fault.ALTERED, _one_of(number, expected, sums.of, seq))]


def _gone_lines(number: int, seq: int, lines: Sequence[int]) -> Iterator[Break]:
    for line in lines:
        yield Break(seq, Fault.MISSING, f"Job {number}, line {line} is gone.")


def _unknown_lines(seq: int, rows: Sequence[Action], of: str) -> Iterator[Break]:
    """A plan and what was swept each have lines of their own among those that stand together."""
    for row in rows:
        if of == "outcome" or (of == "sweep") == (row.situation == Situation.LEFT_BEHIND):
            yield Break(seq, Fault.UNKNOWN, f"{_line(row)} is not in the ledger.")


def _one_of(number: int, lines: Sequence[int], of: str, seq: int) -> str:
    where = f"one of lines {lines[0]} to {lines[-1]}" if len(lines) > 1 else f"line {lines[0]}"
    return f"Job {number}, {where}: its {of} is not as it was with entry {seq}."


def _line(row: Action) -> str:
    return f"Job {row.job_id}, line {row.seq} ({row})"


STARTED = {
    "kind": "kind",
    "account": "account_id",
    "situation": "situation",
    "rule": "rule",
    "role": "role",
    "entitlement": "entitlement",
    "holder": "holder",
    "grants": "grants",
    "taking": "taking",
}
SETTLED = {"error": "error", "request_id": "request_id", "new_account": "new_account_id"}


def _of_line(row: Action) -> Iterator[Break]:
    """Of a line that was carried out, what the entries about itself tell."""
    own = Entry.objects.filter(object_kind=LINE, object_id=str(row.pk)).order_by("-seq")
    if started := own.filter(verb=Verb.ACTION_STARTED).first():
        said, facts = started.told(), started.told()["facts"]
        told = {"email": started.email, "before": said.get("before"), "after": said.get("after")}
        told |= {column: facts[name] for name, column in STARTED.items()}
        yield from _against(row, started.seq, told)
    if settled := own.exclude(verb__in=NO_OUTCOME).first():
        said, facts = settled.told(), settled.told()["facts"]
        told = {column: facts[name] for name, column in SETTLED.items()}
        if own.filter(verb=Verb.ACTION_CONFIRMED, seq__gt=settled.seq).exists():
            told["error"] = None
        yield from _against(row, settled.seq, told | {"state": said["after"]["state"]})


NO_OUTCOME = (Verb.ACTION_STARTED, Verb.ACTION_UNANSWERED, Verb.ACTION_CONFIRMED)


def _against(row: Action, seq: int, told: Mapping[str, Any]) -> Iterator[Break]:
    for column, said in told.items():
        if (stored := getattr(row, column)) != said:
            yield _altered(seq, _line(row), column, stored, said)
