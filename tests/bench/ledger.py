"""What it costs to check and write out a million entries, beside a bare loop that reads and hashes them."""

from collections.abc import Iterator

from tqdm import tqdm

from tests.bench.installation import Installation, Spent, databases, installation, spent_by
from tests.bench.result import Result, Table

MOST_SECONDS = {"history verify": 30.0, "history export": 60.0}
HEAD = ("1,000,000 entries", "database", "took", "of it CPU", "most memory", "CPU beside the bare loop")


def measure() -> Result:
    rows: list[tuple[str, ...]] = []
    missed: list[str] = []
    for database in tqdm(databases(), "ledger", leave=False, disable=None):
        with installation(database) as here:
            here.shell("from tests.bench import long_ledger; long_ledger.write()")
            bare = spent_by(["-m", "tests.bench.bare", "ledger", here.database_url])
            for what, spent in [*_commands(here), ("bare loop", bare)]:
                took = (f"{spent.seconds:.1f} s", f"{spent.cpu:.1f} s", f"{spent.megabytes:.0f} MB")
                rows.append((what, database, *took, f"{spent.cpu / bare.cpu:.1f} times"))
                if spent.seconds > MOST_SECONDS.get(what, spent.seconds):
                    missed.append(f"{what} on {database} took more than {MOST_SECONDS[what]:.0f} s.")
    return Result([Table(HEAD, rows)], missed=missed)


def _commands(here: Installation) -> Iterator[tuple[str, Spent]]:
    yield "history verify", here.run("history", "verify")
    yield "history export", here.run("history", "export", "--format", "json")
