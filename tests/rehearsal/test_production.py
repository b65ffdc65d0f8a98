"""The rehearsal in short, and a backup that is brought back. `make rehearsal` kills every piece."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.conftest import need
from tests.rehearsal.__main__ import company_in_production
from tests.rehearsal.company import NAME, Company
from tests.rehearsal.killing import BLOWS, endure, lost
from tests.rehearsal.production import UNITS, Production, missing

pytestmark = pytest.mark.soak

At = tuple[Production, Company]


@pytest.fixture(scope="module")
def at_work() -> Iterator[At]:
    """In a folder that PostgreSQL's user may enter: those of pytest are for their owner alone."""
    need(missing())
    own_folder = tempfile.TemporaryDirectory(prefix="cakewalk-rehearsal-", ignore_cleanup_errors=True)
    with own_folder as folder, company_in_production(Path(folder)) as found:
        yield found


def test_what_is_killed_comes_back_and_nothing_is_lost_or_done_twice(at_work: At) -> None:
    production, company = at_work
    outcomes = [endure(blow, production, company) for blow in BLOWS if blow.short]
    assert [(outcome.blow.what, outcome.not_done) for outcome in outcomes if outcome.not_done] == []
    assert lost(production, company) == []


def test_in_production_its_own_checks_find_nothing(at_work: At) -> None:
    production, _ = at_work
    production.run("check", "--deploy", "--fail-level", "WARNING")
    plain = production.browser().get(
        f"http://localhost:{production.ports['http']}/admin/", allow_redirects=False, timeout=10
    )
    assert (plain.status_code, plain.headers["Location"]) == (301, f"{production.url}/admin/")
    assert production.browser().get(f"{production.url}/metrics", timeout=10).status_code == 404
    assert production.browser().get(f"{production.url}/readyz", timeout=10).json()["ready"]


def test_who_left_after_the_backup_is_not_let_in_by_the_restored_directory(
    at_work: At, tmp_path: Path
) -> None:
    """Taken while people come and go, brought back into a fresh database, and the world has moved on."""
    production, company = at_work
    production.run("history", "checkpoint", "--out", str(tmp_path / "before"))
    company.begin()
    time.sleep(2)
    backup = Path(script(production, "backup.sh", str(tmp_path / "backups")).strip())
    time.sleep(6)
    company.pause()
    company.seconds_until_in_step(60)
    gone = [somebody.email for somebody in company.people if somebody.told[-1] == "left"]
    keep_a_checkpoint(production)
    secrets = [path.read_text() for path in (production.folder / "etc" / "secrets").iterdir()]
    kept = b"".join(path.read_bytes() for path in backup.rglob("*") if path.is_file())
    assert [secret for secret in secrets if len(secret) > 30 and secret.encode() in kept] == []

    for name in UNITS:
        production.pieces[name].stop()
    an_empty_database(production)
    asked = len(company.newsroom.requests)
    said = script(production, "restore.sh", str(backup))
    assert f"{NAME} only observes now; its mode was manage." in said
    assert "an older state was restored" in said
    with pytest.raises(AssertionError, match="tables already"):
        script(production, "restore.sh", str(backup))
    synced = production.document("sync", NAME, seconds=120)
    assert (synced["state"], synced["read"]["complete"]) == ("succeeded", True)
    written = [one for one in company.newsroom.requests[asked:] if one.method != "GET"]
    assert written == []
    assert gone
    assert not {company.newsroom.member(email) for email in gone} - {None}


def test_a_backup_that_is_not_what_was_written_is_not_restored(at_work: At, tmp_path: Path) -> None:
    production, _ = at_work
    backup = Path(script(production, "backup.sh", str(tmp_path)).strip())
    with (backup / "database.dump").open("ab") as dump:
        dump.write(b"more")
    an_empty_database(production)
    with pytest.raises(AssertionError, match="not what was written"):
        script(production, "restore.sh", str(backup))


def script(production: Production, name: str, *words: str) -> str:
    environment = production._environment | {"PYTHON": sys.executable}
    done = subprocess.run(
        ["/bin/sh", f"deploy/{name}", *words],
        cwd=production.folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def keep_a_checkpoint(production: Production) -> None:
    """As the clock does every hour."""
    code = (
        "from django.utils import timezone; from provisioning import proving; "
        "assert proving.keep_checkpoint(timezone.now())"
    )
    production.run("shell", "--verbosity=0", "--command", code)


def an_empty_database(production: Production) -> None:
    with psycopg.connect(production.server_url, autocommit=True) as server:
        server.execute(b"DROP DATABASE cakewalk WITH (FORCE)")
        server.execute(b"CREATE DATABASE cakewalk OWNER cakewalk")
