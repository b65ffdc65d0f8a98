"""Starts a production-like installation, kills it piece by piece, and says what was lost.

`python -m tests.rehearsal --write` writes the table into docs/deploy.md.
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import environment

environment.prepare()

import django  # noqa: E402

django.setup()

from tests.rehearsal.company import Company, Newsroom  # noqa: E402
from tests.rehearsal.killing import BLOWS, Blow, Outcome, endure, lost  # noqa: E402
from tests.rehearsal.production import Production, missing  # noqa: E402
from tests.stack.installation import ROOT  # noqa: E402

PAGE = ROOT / "docs" / "deploy.md"
BEGIN, END = "<!-- rehearsal -->", "<!-- end of rehearsal -->"


@contextmanager
def company_in_production(folder: Path) -> Iterator[tuple[Production, Company]]:
    """Everything started, an organization connected, and everybody in step."""
    production, newsroom = Production(folder), Newsroom()
    newsroom.start()
    try:
        production.start()
        company = Company(production, newsroom)
        company.set_up(folder)
        yield production, company
    finally:
        newsroom.go_on()
        production.stop()
        newsroom.stop()


def rehearse(
    blows: Sequence[Blow], folder: Path, say: Callable[[str], None]
) -> tuple[list[Outcome], list[str], str]:
    """What came of each blow, what was lost in the end, and a sentence of what there was."""
    with company_in_production(folder) as (production, company):
        outcomes = []
        for blow in blows:
            outcomes.append(endure(blow, production, company))
            say(line(outcomes[-1]))
        missing_in_the_end = lost(production, company)
        [(jobs, entries)] = production.rows(
            "SELECT (SELECT count(*) FROM provisioning_provisioningjob), (SELECT count(*) FROM ledger_entry)"
        )
        summary = (
            f"{company.told()} changes of the directory, {jobs} jobs, {entries} entries of the ledger; "
            f"{company.refused.total()} requests of the identity provider got no answer and were sent again."
        )
    return outcomes, missing_in_the_end, summary


def line(outcome: Outcome) -> str:
    blow, seconds = outcome.blow, outcome.in_step
    in_step = "never" if seconds is None else f"{seconds:.0f} s"
    back = "never" if outcome.back is None else "at once" if outcome.back < 1 else f"{outcome.back:.0f} s"
    lost_ones = "; ".join(outcome.not_done) or "nothing"
    cells = (blow.what, blow.how, back, in_step, outcome.told, outcome.asked_again, lost_ones)
    return f"| {' | '.join(map(str, cells))} |"


HEAD = (
    "| what | how | answers again after | all in step after | changes meanwhile | asked again | lost |\n"
    "|---|---|---|---|---|---|---|"
)


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--short", action="store_true", help="what continuous integration runs")
    words.add_argument("--write", action="store_true", help="write the table into docs/deploy.md")
    words.add_argument("--keep", action="store_true", help="keep the folder with all logs")
    given = words.parse_args()
    if reason := missing():
        print(f"The rehearsal {reason}.", file=sys.stderr)
        return 2
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix="cakewalk-rehearsal-"))
    blows = [blow for blow in BLOWS if blow.short or not given.short]
    lines: list[str] = []

    def say(text: str) -> None:
        lines.append(text)
        print(text, flush=True)

    print(HEAD, flush=True)
    outcomes, found, summary = rehearse(blows, folder, say)
    took = time.monotonic() - began
    print(f"\n{summary} It took {took:.0f} s.")
    for sentence in found:
        print(f"LOST: {sentence}")
    if not found:
        print("Nothing was lost, nothing was done twice, and the ledger is what was written.")
    if given.write:
        write([HEAD, *lines, "", f"{summary} Lost or done twice: {len(found)}. It took {took:.0f} s."])
    if given.keep:
        print(f"Everything is in {folder}.")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return int(bool(found) or any(outcome.in_step is None for outcome in outcomes))


def write(lines: Sequence[str]) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + "\n".join([BEGIN, "", *lines, "", END]) + after)


if __name__ == "__main__":
    sys.exit(main())
