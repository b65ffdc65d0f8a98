"""What it costs to bring in people from files, beside a bare loop that reads and writes as many rows."""

import csv
from collections.abc import Iterator
from pathlib import Path

import openpyxl
from tqdm import tqdm

from tests.bench.installation import Installation, Spent, databases, installation, spent_by
from tests.bench.result import Result, Table

PEOPLE = 100_000
MOST_SECONDS = 30.0
HEAD = ("what", "database", "took", "of it CPU", "most memory", "CPU beside the bare loop")


def measure() -> Result:
    """All new; all as they are; a tenth changed; and a tenth left, by a file that is complete."""
    rows: list[tuple[str, ...]] = []
    missed: list[str] = []
    kinds = [(kind, database) for kind in ("csv", "xlsx") for database in databases()]
    for kind, database in tqdm(kinds, "imports", leave=False, disable=None):
        with installation(database) as here:
            bare: Spent | None = None
            for told, file, options in _steps(here.folder, kind):
                bare = bare or _bare_loop(here, file)
                spent = here.run("import_people", str(file), *options)
                rows.append(_row(f"{kind.upper()}: {told}", database, spent, bare))
                if spent.seconds > MOST_SECONDS:
                    missed.append(f"{told} from {kind} on {database} took more than {MOST_SECONDS:.0f} s.")
            if bare:
                rows.append(_row(f"{kind.upper()}: bare loop", database, bare, bare))
    return Result([Table(HEAD, rows)], missed=missed)


def _row(what: str, database: str, spent: Spent, bare: Spent) -> tuple[str, ...]:
    took = (f"{spent.seconds:.1f} s", f"{spent.cpu:.1f} s", f"{spent.megabytes:.0f} MB")
    return (what, database, *took, f"{spent.cpu / bare.cpu:.1f} times")


def _bare_loop(here: Installation, file: Path) -> Spent:
    return spent_by(["-m", "tests.bench.bare", "import", str(file), here.database_url])


def _steps(folder: Path, kind: str) -> Iterator[tuple[str, Path, list[str]]]:
    tenth = PEOPLE // 10
    file = folder / f"people.{kind}"
    yield "added", people_file(file), []
    yield "untouched", file, []
    yield f"{tenth:,} changed", people_file(file, changed=tenth), []
    yield f"--replace, {tenth:,} left", people_file(file, changed=tenth, gone=tenth), ["--replace"]


def people_file(file: Path, *, changed: int = 0, gone: int = 0) -> Path:
    rows = [
        ("email", "name", "active", "groups", "aliases", "department", "title", "employee_id", "start_date")
    ]
    for n in range(PEOPLE - gone):
        groups, title = f"group {n % 50};department {n % 20}", "Changed" if n < changed else f"Title {n % 9}"
        rows.append(
            (
                f"person{n}@example.org",
                f"Pérson Number {n}",
                "yes",
                groups,
                f"p{n}@example.com",
                f"Department {n % 40}",
                title,
                str(PEOPLE + n),
                "2020-01-31",
            )
        )
    if file.suffix == ".csv":
        with file.open("w", newline="", encoding="utf-8") as opened:
            csv.writer(opened).writerows(rows)
        return file
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in rows:
        sheet.append(row)
    book.save(file)
    return file
