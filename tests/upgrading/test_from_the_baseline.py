"""The oldest version that can be upgraded from serves on while the newest migrates, and both work at once."""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations.connectors.openai.simulator import Organization, Simulator
from tests.conftest import SERVICES, need
from tests.stack.conftest import own_broker, own_database
from tests.stack.installation import CODE, ROOT, ThreeProcesses, eventually
from tests.stack.test_outages import connect, people
from tests.stack.test_recovery import follow, invited
from tests.upgrading.baseline import COMMIT

pytestmark = [pytest.mark.services, pytest.mark.soak]
MOMENT_SECONDS = 60


class Baseline(ThreeProcesses):
    """Runs the code as it was then."""

    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, **settings)
        for name in CODE:
            there = folder / name
            shutil.rmtree(there) if there.is_dir() else there.unlink()
        with tarfile.open(fileobj=io.BytesIO(archived(COMMIT))) as code:
            code.extractall(folder, filter="data")


def archived(commit: str) -> bytes:
    words = ["git", "-C", str(ROOT), "archive", "--format=tar", commit]
    done = subprocess.run(words, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"needs the history of this repository up to {commit[:10]}")
    return done.stdout


@pytest.fixture
def versions(tmp_path: Path) -> Iterator[tuple[Baseline, ThreeProcesses]]:
    """Both on one database and one broker, with the same secrets."""
    need(SERVICES.missing())
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    with own_database() as database, own_broker() as broker:
        settings = {"DATABASE_URL": database, "CELERY_BROKER_URL": broker}
        old, new = Baseline(tmp_path / "old", **settings), ThreeProcesses(tmp_path / "new", **settings)
        shutil.copy(old.folder / ".env", new.folder / ".env")
        try:
            yield old, new
        finally:
            old.stop()
            new.stop()


def test_the_version_before_works_on_while_the_next_one_migrates_and_serves(
    versions: tuple[Baseline, ThreeProcesses], tmp_path: Path
) -> None:
    old, new = versions
    hired: list[str] = []

    def somebody_is_hired_with(installation: ThreeProcesses, simulator: Simulator) -> None:
        """A directory changed through one version, and whichever worker takes it up."""
        hired.append(f"hired{len(hired)}@example.org")
        people(installation, tmp_path, f"{hired[-1]},writers")
        eventually(lambda: invited(simulator) == hired, MOMENT_SECONDS, f"The invite of {hired[-1]}")

    with Simulator(Organization(owner="editor@example.org")) as simulator:
        old.start()
        name = connect(old, simulator)
        people(old, tmp_path, "editor@example.org,editors;writers")
        follow(old, name, tmp_path)
        observed = {job["job"] for job in old.settled()}
        old.run("configure", name, "--set", "mode=manage")
        somebody_is_hired_with(old, simulator)

        new.run("migrate", "--verbosity", "0")
        assert old.answers()
        old.password = old.run("new_password", "auditor", "--create")
        somebody_is_hired_with(old, simulator)

        new.launch("web", "-m", "gunicorn", "cakewalk.wsgi", "--bind", f"127.0.0.1:{new.port}")
        new.launch_worker()
        eventually(new.answers, MOMENT_SECONDS, "The next version")
        somebody_is_hired_with(old, simulator)
        somebody_is_hired_with(new, simulator)

        old.stop()
        new.launch_clock()
        somebody_is_hired_with(new, simulator)
        changed = [job for job in new.settled() if job["job"] not in observed]
        assert {job["state"] for job in changed} == {"succeeded"}
        assert new.document("history", "verify")["breaks"] == []
        assert new.run("migrate", "--check") == ""
