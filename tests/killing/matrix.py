"""Kills a worker at every step of a job, on every kind of database, and says what became of the job.

`python -m tests.killing.matrix` writes the table into docs/safety.md.
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import argparse
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests import safety_page
from tests.killing.installations import JOBS, Killable, OnPostgreSQL, OnSQLite
from tests.killing.moments import MOMENTS, Moment
from tests.machine import Services


@dataclass(frozen=True, slots=True)
class Story:
    """How a job ended, and all that was asked of the organization to change it."""

    digest: str
    actions: tuple[tuple[str, str, str], ...]
    writes: tuple[str, ...]


def undisturbed(installation: Killable) -> Story:
    """What the job does when nobody kills its worker: eleven things, each of them once."""
    installation.begin_again()
    installation.come_to_an_end()
    state, story = _story(installation)
    assert (state, len(story.writes), len(set(story.writes))) == ("succeeded", 11, 11), story
    assert {became for _, _, became in story.actions} == {"done"}, story
    return story


def problems(installation: Killable, moment: Moment, expected: Story) -> list[str]:
    """Kills at the moment, starts again, and compares with the job that nobody disturbed."""
    installation.begin_again()
    digests = []
    for place, kill in enumerate(moment.kills, start=1):
        if not installation.be_killed(kill):
            return [f"The worker was not killed the {place}. time: the moment did not come."]
        digests += [digest for (digest,) in installation.rows(f"SELECT digest FROM {JOBS}") if digest]  # noqa: S608
    installation.come_to_an_end()
    state, story = _story(installation)
    more = installation.next_sync()["counts"]["planned"]
    breaks = installation.document("history", "verify")["breaks"]
    found = {
        f"The job ended as {state}.": state != "succeeded",
        f"The plan's digest changed: {digests}.": {*digests, story.digest} != {expected.digest},
        f"The actions ended as {story.actions}.": story.actions != expected.actions,
        f"The organization was asked for {_difference(story.writes, expected.writes)}.": sorted(story.writes)
        != sorted(expected.writes),
        f"The next sync had {more} things left to do.": more != 0,
        f"The ledger tells otherwise: {breaks}.": breaks != [],
    }
    return [sentence for sentence, is_so in found.items() if is_so]


def _story(installation: Killable) -> tuple[str, Story]:
    (job, state, digest), *_ = installation.rows(f"SELECT id, state, digest FROM {JOBS} ORDER BY id")  # noqa: S608
    actions = installation.rows(
        f"SELECT kind, email, state FROM provisioning_action WHERE job_id = {job} ORDER BY seq"  # noqa: S608
    )
    return state, Story(digest, tuple(actions), tuple(installation.writes()))


def _difference(sent: Sequence[str], expected: Sequence[str]) -> str:
    once_more = [f"{write} (+{sent.count(write) - 1})" for write in set(sent) if sent.count(write) > 1]
    never = [f"{write} (never)" for write in expected if write not in sent]
    unasked = [f"{write} (unasked)" for write in set(sent) if write not in expected]
    return ", ".join(sorted(once_more + never + unasked))


def results(make: Callable[[], Killable], say: Callable[[str], None]) -> dict[str, list[str]]:
    """What was wrong, by step; nothing, it is to be hoped."""
    installation = make()
    try:
        installation.start()
        expected = undisturbed(installation)
        found = {}
        for moment in MOMENTS:
            started = time.monotonic()
            found[moment.step] = problems(installation, moment, expected)
            outcome = " ".join(found[moment.step]) or "nothing lost, nothing twice"
            seconds = time.monotonic() - started
            say(f"{type(installation).__name__}: {moment.step}: {outcome} ({seconds:.1f} s)")
        return found
    finally:
        installation.stop()


def table(sqlite: dict[str, list[str]], postgresql: dict[str, list[str]]) -> str:
    lines = ["| the worker is killed | SQLite | PostgreSQL and Redis |", "|---|---|---|"]
    for moment in MOMENTS:
        cells = [" ".join(found[moment.step]) or "✓" for found in (sqlite, postgresql)]
        lines.append(f"| {moment.step} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["sqlite", "postgresql"], help="print, and write nothing")
    only = parser.parse_args().only
    services = Services.from_environment()
    if only != "sqlite" and (missing := services.missing()):
        sys.exit(f"The whole matrix {missing}")
    with tempfile.TemporaryDirectory() as folder:
        stores: dict[str, Callable[[], Killable]] = {
            "sqlite": lambda: OnSQLite(_inside(folder, "sqlite")),
            "postgresql": lambda: OnPostgreSQL(
                _inside(folder, "postgresql"), services, f"cakewalk_killed_{secrets.token_hex(4)}"
            ),
        }
        with ThreadPoolExecutor() as both:
            running = {
                name: both.submit(results, make, _say)
                for name, make in stores.items()
                if only in (None, name)
            }
            found = {name: result.result() for name, result in running.items()}
    wrong = sum(bool(sentences) for one in found.values() for sentences in one.values())
    kills = sum(len(moment.kills) for moment in MOMENTS) * len(found)
    print(f"{kills} workers killed at {len(MOMENTS)} moments on {len(found)} stores: {wrong} times wrong.")
    if only is None:
        safety_page.write("kill matrix", table(found["sqlite"], found["postgresql"]))
    return 1 if wrong else 0


def _inside(folder: str, name: str) -> Path:
    path = Path(folder) / name
    path.mkdir()
    return path


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
