"""A backup is restored, and the world has moved on since."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from cakewalk.ledger import checkpoints
from cakewalk.ledger.models import Entry
from cakewalk.ledger.verbs import Verb
from integrations.models import Integration
from provisioning import old_state, proving
from provisioning.models import ProvisioningJob
from tests.provisioning.world import World, command, staffed

pytestmark = pytest.mark.django_db
ADA = "ada@example.org"


@pytest.fixture(autouse=True)
def checkpoints_elsewhere(settings: Any, tmp_path: Path) -> None:
    settings.LEDGER_KEY, settings.LEDGER_CHECKPOINTS = checkpoints.new_key(), tmp_path


@contextmanager
def lost_since_the_backup() -> Iterator[None]:
    """What happens inside happened to the organization, and the database knows nothing of it."""
    with transaction.atomic():
        yield
        proving.keep_checkpoint(timezone.now())
        transaction.set_rollback(True)


def ada_leaves_after_the_backup(world: World) -> None:
    staffed(world, 5)
    world.hire(ADA, "staff")
    world.sync()
    with lost_since_the_backup():
        world.dismiss(ADA)
        world.sync()
    assert ADA not in {invite.email for invite in world.organization.invites.values()}


def after_restore(*words: str) -> str:
    out = StringIO()
    call_command("after_restore", *words, stdout=out)
    return out.getvalue()


def test_who_left_after_the_backup_is_not_let_in_again(world: World) -> None:
    ada_leaves_after_the_backup(world)
    done = world.writes()

    refused = world.sync()
    assert (refused["state"], refused["refusal"]["code"]) == ("refused", "older_state")
    assert "Run `after_restore`" in refused["refusal"]["detail"]

    assert "only observes now; its mode was manage" in after_restore()
    shown = world.sync()
    assert [(action["email"], action["kind"], action["state"]) for action in shown["actions"]] == [
        (ADA, "invite", "skipped")
    ]
    assert world.writes() == done


def test_jobs_of_then_go_on_to_nothing_and_nobody_is_signed_in_as_then(world: World) -> None:
    staffed(world, 5)
    job = ProvisioningJob.objects.create(integration=world.integration, requested_at=timezone.now())
    Session.objects.create(session_key="of then", session_data="", expire_date=timezone.now())
    with lost_since_the_backup():
        world.hire(ADA, "staff")

    after_restore("--backup", "backup-1")

    job.refresh_from_db()
    assert (job.state, job.cancel_reason) == ("cancelled", "An older state of the database was restored.")
    assert Session.objects.count() == 0
    assert Integration.objects.get().mode == "observe"
    told = Entry.objects.get(verb=Verb.RESTORED).told()["facts"]
    assert (told["backup"], told["modes"], told["jobs_cancelled"]) == (
        "backup-1",
        {world.integration.name: "manage"},
        [job.pk],
    )


def test_the_ledger_tells_what_was_lost_and_is_whole_again(world: World) -> None:
    ada_leaves_after_the_backup(world)
    broken, status = command("history", "verify")
    assert (status, {one["fault"] for one in broken["breaks"]}) == (4, {"truncated"})
    ended_at = broken["seq"]

    after_restore()

    whole, status = command("history", "verify")
    assert (status, whole["breaks"]) == (0, [])
    [restore] = whole["restores"]
    assert restore["ended_at"] == ended_at
    assert restore["knew"] > ended_at
    assert old_state.whole_gap() is None
    assert proving.keep_checkpoint(timezone.now()) is not None


def test_a_ledger_that_has_outgrown_what_was_lost_is_still_an_old_state(world: World) -> None:
    ada_leaves_after_the_backup(world)
    knew = old_state.whole_gap().lost[-1].seq
    while Entry.objects.count() <= knew:
        assert world.sync()["state"] == "refused"
    assert world.sync()["refusal"]["code"] == "older_state"
    assert proving.keep_checkpoint(timezone.now()) is None


def test_checkpoints_of_others_stop_no_job(world: World, settings: Any, tmp_path: Path) -> None:
    staffed(world, 5)
    (tmp_path / "checkpoint-000000009999.json").write_text("{}")
    assert world.sync()["state"] == "succeeded"


def test_the_newest_of_many_checkpoints_is_the_one_that_each_job_looks_at(tmp_path: Path) -> None:
    assert checkpoints.newest_in(tmp_path / "not there") is None
    for name in (
        "checkpoint-000000000009.json",
        "checkpoint-000000000010.json",
        "checkpoint-1.unfinished",
        "x",
    ):
        (tmp_path / name).touch()
    assert checkpoints.newest_in(tmp_path) == list(checkpoints.kept_in(tmp_path))[-1]
    assert checkpoints.newest_in(tmp_path).name == "checkpoint-000000000010.json"
