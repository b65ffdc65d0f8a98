"""The record still proves itself after pruning, and a pruning that was none is found."""

import gzip
import json
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from cakewalk.ledger import checkpoints, guards
from cakewalk.ledger.models import Entry, Head, Pruning, Verification
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from provisioning import proving
from provisioning.models import ProvisioningJob
from provisioning.retention.models import Retention
from tests.retention.builders import age, everything_old, prune

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def ten_old_entries(settings, tmp_path):
    settings.LEDGER_KEY, settings.LEDGER_CHECKPOINTS = checkpoints.new_key(), tmp_path / "checkpoints"
    write(10)
    age()
    write(3)


def write(number: int) -> None:
    for one in range(number):
        record(Verb.ADDED, name=f"thing {one}")


def faults(*files: Path) -> list[tuple[int, str]]:
    """What `history verify` finds, with these files."""
    out = StringIO()
    with suppress(SystemExit):
        call_command("history", "verify", "--json", *(f"--export={one}" for one in files), stdout=out)
    return [(one["seq"], one["fault"]) for one in json.loads(out.getvalue())["breaks"]]


def entries_read() -> int:
    return Verification.objects.latest("pk").entries


def tamper(*statements: str) -> None:
    guards.remove(connection)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    guards.install(connection)


def test_what_remains_is_verified_alone_and_with_the_files_as_one_chain(tmp_path):
    first = prune(tmp_path, name="1.jsonl.gz")
    age()
    proving.keep_checkpoint(timezone.now())
    second = prune(tmp_path, name="2.jsonl.gz")
    assert faults() == []
    assert entries_read() == 1  # that which tells of the last pruning
    assert faults(Path(second.path)) == []
    assert entries_read() == 5
    assert faults(Path(second.path), Path(first.path)) == []
    assert entries_read() == 15


def test_a_file_that_is_missing_between_the_others_is_told(tmp_path):
    first = prune(tmp_path, name="1.jsonl.gz")
    age()
    prune(tmp_path, name="2.jsonl.gz")
    assert faults(Path(first.path)) == [(15, "missing")]


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (
            lambda lines: [line.replace("thing 4", "thing X") for line in lines],
            [(0, "pruned"), (5, "altered")],
        ),
        (lambda lines: lines[:5] + lines[6:], [(0, "pruned"), (0, "pruned"), (6, "missing")]),
        (lambda lines: lines[:-3], [(0, "pruned"), (0, "pruned"), (11, "missing")]),
    ],
)
def test_a_changed_file_is_told(tmp_path, edit, found):
    path = Path(prune(tmp_path).path)
    with gzip.open(path, "rt") as file:
        lines = list(file)
    with gzip.open(path, "wt") as file:
        file.writelines(edit(lines))
    assert faults(path) == found


def test_a_file_of_something_else_is_wrong_usage(tmp_path):
    (tmp_path / "other.gz").write_text("something")
    with pytest.raises(CommandError, match=r"other\.gz"):
        call_command("history", "verify", "--export", str(tmp_path / "other.gz"))


def test_whoever_deletes_entries_with_a_pruning_row_of_their_own_is_found():
    last = Entry.objects.get(seq=10)
    Pruning.objects.create(seq=10, hash=last.hash, at=timezone.now())
    Entry.objects.filter(seq__lte=10).delete()
    assert faults() == [(10, "pruned")]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_pruning SET exported = 'x'",
        "DELETE FROM ledger_pruning",
        "UPDATE ledger_pruning SET seq = 9",
        "UPDATE ledger_pruning SET hash = 'x'",
    ],
)
def test_a_pruning_row_that_is_changed_or_gone_is_found(tmp_path, statement):
    prune(tmp_path)
    tamper(statement)
    assert "pruned" in {fault for _seq, fault in faults()}


def test_a_checkpoint_of_what_was_pruned_is_compared_with_the_file(tmp_path, settings):
    head = Head.objects.get()
    kept = proving.state(settings.LEDGER_KEY, head, timezone.now())
    forged = checkpoints.sign(
        settings.LEDGER_KEY, str(head.installation), kept.link._replace(seq=4), timezone.now()
    )
    path = Path(prune(tmp_path).path)
    checkpoints.keep(forged, settings.LEDGER_CHECKPOINTS)
    assert faults() == []
    assert faults(path) == [(4, "rewritten")]


# -- the command


def command(*words: str) -> dict[str, Any]:
    out = StringIO()
    call_command("history", "prune", *words, "--json", stdout=out, stderr=StringIO())
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def test_the_command_says_what_would_go_and_lets_it_go(tmp_path):
    Retention.objects.filter(kind="ledger").update(days=400)
    file = tmp_path / "old.jsonl.gz"
    assert command("--by-retention", "--dry-run")["would_go"]["ledger"] == 10
    assert Entry.objects.count() == 13
    told = command("--by-retention", f"--export={file}")
    assert (told["file"], told["went"]["ledger"]["number"]) == (str(file), 10)
    assert command("--by-retention", f"--export={tmp_path / 'next.jsonl.gz'}")["file"] is None
    assert faults(file) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--before=2026-06-01", "--export=/x"], "is kept from"),
        (["--before=2020-01-01", "--kind=ledger", "--export=/x"], "kept for ever"),
        (["--by-retention"], "--export, or set RETENTION_FOLDER"),
        (["--by-retention", "--kind=sessions"], "invalid choice"),
        (["--export=/x"], "required"),
        (["--before=yesterday"], "invalid"),
    ],
)
def test_what_retention_does_not_let_go_is_refused(words, says):
    with pytest.raises(CommandError, match=says):
        command(*words)
    assert Entry.objects.count() == 13


def test_everything_old_speaks_of_all_that_is_exported():
    assert "sessions" not in everything_old()


def test_jobs_that_went_are_not_missed_and_one_that_was_deleted_is(world, tmp_path):
    """Nothing is made older here: what the ledger tells of jobs is compared with them to the letter."""
    world.hire("new@example.org", "staff")
    world.rule("Staff", group="staff")
    for _ in range(2):
        world.preview()
    for _ in range(3):
        world.sync()
    tomorrow = timezone.now() + timedelta(days=1)
    went = prune(tmp_path, {"jobs": tomorrow}).contents["jobs"]["numbers"]
    assert went
    assert faults() == []
    stays = ProvisioningJob.objects.earliest("pk")
    stays.actions.all().delete()
    stays.changes.all().delete()
    asked = Entry.objects.get(verb=Verb.JOB_REQUESTED, object_id=str(stays.pk))
    stays.delete()
    assert faults() == [(asked.seq, "missing")]
