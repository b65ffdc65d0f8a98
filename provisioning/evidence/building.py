"""The whole story of a pack: who joined, moved and left; how soon; under which rules; decided by whom; a
sample with all that is known of it; and the ledger's entries that stand behind it.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, Any

from django.utils import timezone, translation
from django.utils.translation import gettext_noop as _

from cakewalk.ledger.chain import moment
from cakewalk.ledger.models import Head
from provisioning.actions import Situation
from provisioning.evidence import deciding, extract, leaving, rights_then, rules_then, summary, trails
from provisioning.evidence.archive import Archive, Table
from provisioning.evidence.items import Item, fold
from provisioning.evidence.ordering import Order, stand
from provisioning.evidence.population import (
    JOB_COLUMNS,
    WHY_NOT,
    counts,
    job_rows,
    population,
    pruned,
    without_a_plan,
)
from provisioning.evidence.sampling import Draw, rank
from provisioning.evidence.timing import COLUMNS as BREACH_COLUMNS
from provisioning.evidence.timing import Breaches, Timing

FORMAT = 1

Tell = Callable[[str, float], None]
"""What is being done, and how much of that is."""

ITEM_COLUMNS = (
    "item",
    "situation",
    "what",
    "email",
    "account_id",
    "person",
    "rule",
    "known_at",
    "left_at",
    "planned_at",
    "attempts",
    "held",
    "approved_by",
    "approved_at",
    "started_at",
    "done_at",
    "confirmed_at",
    "took_seconds",
    "state",
    "error",
    "request_id",
    "audit_log_event",
    "jobs",
    "actions",
)
SAMPLE_COLUMNS = ("place", "rank", *ITEM_COLUMNS)

COUNTING = _("Counting jobs")
READING = _("Reading joiners, movers and leavers")
REWINDING = _("Rewinding rules and rights")
FOLLOWING = _("Following the sample's trails")
COPYING = _("Copying the ledger's entries")
PACKING = _("Packing")

SITUATIONS = (Situation.JOINER, Situation.MOVER, Situation.LEAVER)
TOLD_EVERY = 500


@dataclass(frozen=True, slots=True)
class Built:
    """`digest`: the SHA-256 of the manifest. `said`: the figures, as they stand in the pack."""

    digest: str
    files: int
    said: dict[str, Any]


def build(asked: Order, out: IO[bytes], tell: Tell = lambda _doing, _share: None) -> Built:
    """Write the zip. The same order, and the same record up to where it is told, make the same bytes."""
    with translation.override("en"), timezone.override("UTC"), Archive(folder_of(asked)) as archive:
        return _Building(asked, archive, tell).carried_out(out)


def folder_of(asked: Order) -> str:
    letters = "".join(
        letter if letter.isascii() and letter.isalnum() else "-" for letter in asked.integration.name
    )
    named = "-".join(filter(None, letters.lower().split("-"))) or "integration"
    return f"evidence-{named}-{asked.since}-to-{asked.until}"


class _Building:
    def __init__(self, asked: Order, archive: Archive, tell: Tell) -> None:
        self._asked, self._archive, self._tell = asked, archive, tell
        self._told = stand(asked)
        self._seed = asked.seed or self._told.last.hash[:16]
        self._timing = Timing(timedelta(hours=asked.integration.removal_target_hours))
        self._tally = _Tally()
        self._draw: Draw[Item] = Draw(self._seed, asked.sample)
        self._leavers: set[int] = set()

    def carried_out(self, out: IO[bytes]) -> Built:
        shown = summary.Shown()
        jobs = self._jobs()
        self._population(shown)
        rules = self._rules(shown)
        rights = self._rights(shown)
        decided = self._decisions(shown)
        sample = self._sample(shown)
        self._tell(COPYING, 0)
        ledger = extract.put(
            self._archive,
            self._asked,
            self._told,
            lambda share: self._tell(COPYING, share),
        )
        said = {
            "pack": self._about(),
            "population": self._tally.figures(jobs),
            "jobs": jobs,
            "removal_after_departure": self._timing.figures(),
            "rules": rules,
            "rights": rights,
            "decisions": decided,
            "sample": {"seed": self._seed, "number": len(sample), "items": sample},
            "ledger": ledger,
        }
        self._tell(PACKING, 0)
        self._archive.put_json("pack.json", said)
        self._archive.put("README.md", summary.readme(said))
        self._archive.put("summary.html", summary.page(self._asked, self._told, said, shown, self._timing))
        digest = self._archive.pack(out, {"format": FORMAT, "pack": self._about()})
        return Built(digest, self._archive.number, said)

    def _about(self) -> dict[str, Any]:
        head = Head.objects.first() or Head()
        of, told = self._asked.integration, self._told
        return {
            "integration": of.name,
            "integration_id": str(of.public_id),
            "kind": of.kind,
            "simulated": of.simulated,
            "installation": str(head.installation),
            "since": self._asked.since.isoformat(),
            "until": self._asked.until.isoformat(),
            "time_zone": timezone.get_default_timezone_name(),
            "begins": moment(told.begins),
            "ends": moment(told.ends),
            "period_was_over": told.is_over,
            "state_of_the_record": {"entry": told.last.seq, "hash": told.last.hash},
            "ledger_begins": moment(told.begun_at) if told.begun_at else None,
            "ledger_is_younger_than_the_period": told.ledger_is_younger,
            "seed": self._seed,
            "seed_was_chosen": bool(self._asked.seed),
            "sample": self._asked.sample,
            "removal_target_hours": of.removal_target_hours,
        }

    def _jobs(self) -> dict[str, Any]:
        self._tell(COUNTING, 0)
        number = lines = counted = 0
        others: Counter[str] = Counter()
        with self._archive.table("jobs", JOB_COLUMNS) as table:
            for row, planned in job_rows(self._asked, self._told):
                table.add(row)
                number, lines, counted = number + 1, lines + planned.lines, counted + planned.counted
                others.update(planned.others)
        with self._archive.table("excluded", ("sort", "lines", "why")) as table:
            for sort, of_it in sorted(others.items()):
                why = WHY_NOT.get(sort, "Neither a joiner nor a mover nor a leaver.")
                table.add({"sort": sort, "lines": of_it, "why": why})
        return {
            "with_lines": number,
            "lines": lines,
            "lines_in_population": counted,
            "lines_excluded": dict(sorted(others.items())),
            "without_lines": without_a_plan(self._asked, self._told),
            "pruned": pruned(self._told),
        }

    def _population(self, shown: summary.Shown) -> None:
        of = sum(planned.counted for _pk, planned in counts(self._asked, self._told)) or 1
        breaches = Breaches(self._asked, self._told, self._timing)
        lines = self._counted_lines(of)
        with (
            self._archive.table("population", ITEM_COLUMNS) as table,
            self._archive.table("breaches", BREACH_COLUMNS) as late,
        ):
            for item in fold(lines):
                self._take(item, table, late, breaches, shown)
            self._directory(table, late, breaches, shown)
            for row in breaches.rest():
                late.add(row)
                shown.breaches.offer(row)

    def _counted_lines(self, of: int) -> Iterator[Any]:
        for number, line in enumerate(population(self._asked, self._told)):
            if number % TOLD_EVERY == 0:
                self._tell(READING, number / of)
            yield line

    def _take(self, item: Item, table: Table, late: Table, breaches: Breaches, shown: summary.Shown) -> None:
        table.add(item_row(item))
        self._tally.add(item)
        self._draw.offer(item)
        shown.count(item)
        if item.situation == Situation.LEAVER and item.person:
            self._leavers.add(item.person)
        for row in breaches.add(item):
            late.add(row)
            shown.breaches.offer(row)

    def _directory(self, table: Table, late: Table, breaches: Breaches, shown: summary.Shown) -> None:
        """Whoever is still there and in no plan is an item all the same."""
        outcomes: Counter[str] = Counter()
        with self._archive.table("departures", leaving.COLUMNS) as told:
            missed: set[str] = set()
            for row, item in leaving.departures(self._asked, self._told, self._leavers):
                told.add(row)
                outcomes[row["outcome"]] += 1
                if item and item.name not in missed:
                    missed.add(item.name)
                    self._take(item, table, late, breaches, shown)
        self._tally.departures = leaving.tally(outcomes.elements())

    def _rules(self, shown: summary.Shown) -> dict[str, Any]:
        self._tell(REWINDING, 0)
        then = rules_then.rules_then(self._asked, self._told)
        for name, rows in (("rules_at_start", then.at_start), ("rules_at_end", then.at_end)):
            self._rows(name, rules_then.COLUMNS, rows)
        shown.rules_at_start, shown.rules_at_end = then.at_start, then.at_end
        changed = self._rows(
            "rule_changes",
            rules_then.CHANGE_COLUMNS,
            rules_then.rule_changes(self._asked, self._told),
            shown.rule_changes,
        )
        return {"at_start": len(then.at_start), "at_end": len(then.at_end), "changes": changed}

    def _rights(self, shown: summary.Shown) -> dict[str, Any]:
        then = rights_then.rights_then(self._told)
        for name, rows in (("rights_at_start", then.at_start), ("rights_at_end", then.at_end)):
            self._rows(name, rights_then.COLUMNS, rows)
        shown.rights_at_start, shown.rights_at_end = then.at_start, then.at_end
        changed = self._rows(
            "right_changes",
            rights_then.CHANGE_COLUMNS,
            rights_then.right_changes(self._told),
            shown.right_changes,
        )
        return {"at_start": len(then.at_start), "at_end": len(then.at_end), "changes": changed}

    def _decisions(self, shown: summary.Shown) -> dict[str, int]:
        counted: Counter[str] = Counter()
        with self._archive.table("decisions", deciding.COLUMNS) as table:
            for row in deciding.decisions(self._asked, self._told):
                table.add(row)
                shown.decisions.offer(row)
                counted[row["what"]] += 1
        return dict(sorted(counted.items()))

    def _rows(self, name: str, columns: Any, rows: Any, shown: Any = None) -> int:
        with self._archive.table(name, columns) as table:
            for row in rows:
                table.add(row)
                if shown is not None:
                    shown.offer(row)
            return table.number

    def _sample(self, shown: summary.Shown) -> list[str]:
        names = []
        with self._archive.table("sample", SAMPLE_COLUMNS) as table:
            for place, item in enumerate(self._draw.drawn(), start=1):
                self._tell(FOLLOWING, place / max(self._asked.sample, 1))
                table.add({"place": place, "rank": rank(self._seed, item.name), **item_row(item)})
                trail = trails.trail(item, self._told)
                self._archive.put_json(
                    f"sample/{place:03}-{item.name}.json", {"item": item_row(item), **trail}
                )
                shown.sample.append(summary.Sampled(place, item, trails.steps(item, trail), trail["ledger"]))
                names.append(item.name)
        return names


def item_row(item: Item) -> dict[str, Any]:
    took = item.took
    return {
        "item": item.name,
        "situation": str(item.situation),
        "what": item.what,
        "email": item.email,
        "account_id": item.account_id,
        "person": item.person,
        "rule": item.rule,
        "known_at": item.known_at,
        "left_at": item.left_at,
        "planned_at": item.planned_at,
        "attempts": item.attempts,
        "held": item.was_held,
        "approved_by": item.approved_by,
        "approved_at": item.approved_at,
        "started_at": item.started_at,
        "done_at": item.finished_at if item.is_done else None,
        "confirmed_at": item.confirmed_at,
        "took_seconds": round(took.total_seconds(), 3) if took else None,
        "state": item.state,
        "error": item.error,
        "request_id": item.request_id,
        "audit_log_event": item.event,
        "jobs": item.jobs,
        "actions": item.lines,
    }


class _Tally:
    """How many items, by situation and by what became of them."""

    def __init__(self) -> None:
        self._states: Counter[tuple[str, str]] = Counter()
        self._repeats: Counter[str] = Counter()
        self._lines = self._unconfirmed = self._corroborated = 0
        self.departures: dict[str, int] = {}

    def add(self, item: Item) -> None:
        self._states[item.situation, item.state] += 1
        self._lines += item.attempts
        self._repeats[item.situation] += max(item.attempts - 1, 0)
        self._unconfirmed += item.is_done and item.confirmed_at is None
        self._corroborated += bool(item.event)

    def figures(self, jobs: dict[str, Any]) -> dict[str, Any]:
        told = {}
        for situation in SITUATIONS:
            states = {
                state: number for (of, state), number in sorted(self._states.items()) if of == situation
            }
            told[f"{situation}s"] = {
                "items": sum(states.values()),
                "by_state": states,
                "planned_again": self._repeats[situation],
            }
        items = sum(self._states.values())
        of_the_directory = self._states[Situation.LEAVER, "not_planned"]
        repeats = sum(self._repeats.values())
        return {
            "items": items,
            **told,
            "done_and_not_confirmed": self._unconfirmed,
            "found_in_the_audit_log": self._corroborated,
            "known_from_the_directory_alone": of_the_directory,
            "lines": self._lines,
            "lines_counted_by_the_database": jobs["lines_in_population"],
            "reconciles": self._lines == jobs["lines_in_population"] == items - of_the_directory + repeats,
            "departures_told_by_the_directory": self.departures,
        }
