"""Whoever alters jobs or their actions behind Cakewalk's back is found out, and where is named."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from cakewalk.ledger.chain import Break
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from provisioning import vouching
from provisioning.models import Action, ProvisioningJob
from tests.provisioning.world import World, held_job, staffed

pytestmark = pytest.mark.django_db(transaction=True)


def found(job: ProvisioningJob) -> list[str]:
    """What is told, with the job's number as 1, that of another as 8, and numbers of entries left out."""
    told = [one.detail for one in vouching.altered() if isinstance(one, Break)]
    numbers = {str(job.pk): "1", str(job.pk + 7): "8"}
    told = [re.sub(r"(?<=^Job )\d+", lambda number: numbers[number[0]], said) for said in told]
    return [re.sub(r"(?<=entry )\d+", "#", said) for said in told]


@pytest.fixture
def job(world: World) -> ProvisioningJob:
    """Line 1 invites ada, line 2 removes p0 with alice's approval, line 3 reports bob, who is nobody's."""
    world.hire("ada@example.org", "staff")
    world.organization.add_member("bob@example.org")
    waits = held_job(world)
    world.approver("alice")
    world.approver("mallory")
    world.approve(waits.pk, reason="He left.")
    waits.refresh_from_db()
    assert list(waits.actions.order_by("seq").values_list("kind", "email", "state")) == [
        ("invite", "ada@example.org", "done"),
        ("remove", "p0@example.org", "done"),
        ("report", "bob@example.org", "done"),
    ]
    return waits


Alter = Callable[[ProvisioningJob], Any]


def line(seq: int, **altered: Any) -> Alter:
    return lambda job: Action.objects.filter(job=job, seq=seq).update(**altered)


def row(**altered: Any) -> Alter:
    return lambda job: ProvisioningJob.objects.filter(pk=job.pk).update(**altered)


def add(kind: str, situation: str) -> Alter:
    def alter(job: ProvisioningJob) -> None:
        Action.objects.create(
            job=job, seq=4, kind=kind, email="eve@example.org", situation=situation, state="done"
        )

    return alter


def approve_as_another(job: ProvisioningJob) -> None:
    row(approved_by=User.objects.get(username="mallory"))(job)


def shrink_what_was_read(job: ProvisioningJob) -> None:
    row(read=job.read | {"accounts": 1})(job)


def delete(job: ProvisioningJob) -> None:
    ProvisioningJob.objects.filter(pk=job.pk).delete()


def add_a_job(requested_at: datetime) -> Alter:
    """Whatever it says of when it was made."""

    def alter(job: ProvisioningJob) -> None:
        made = {"integration": job.integration, "state": "succeeded", "requested_at": requested_at}
        ProvisioningJob.objects.create(pk=job.pk + 7, **made)

    return alter


INVITE, REMOVAL = "Job 1, line 1 (invite ada@example.org)", "Job 1, line 2 (remove p0@example.org)"
LONG_AGO = timezone.now() - timedelta(days=2)

ALTERED: list[tuple[Alter, list[str]]] = [
    (line(2, state="failed"), [f"{REMOVAL}: state is failed, and entry # says done."]),
    (line(2, error={"code": "x"}), [f"{REMOVAL}: error is {{'code': 'x'}}, and entry # says empty."]),
    (line(1, request_id="req_1"), [f"{INVITE}: request_id is req_1, and entry # says req_"]),
    (
        line(2, email="eve@x.org"),
        ["Job 1, line 2 (remove eve@x.org): email is eve@x.org, and entry # says p0@example.org."],
    ),
    (line(2, before=None), [f"{REMOVAL}: before is empty, and entry # says {{'projects': [], 'role"]),
    (line(1, after={"role": "owner"}), [f"{INVITE}: after is {{'role': 'owner'}}, and entry # says {{"]),
    (line(2, rule="Another"), [f"{REMOVAL}: rule is Another, and entry # says empty."]),
    (line(2, known_at=LONG_AGO), ["Job 1, line 2: its outcome is not as it was with entry #."]),
    (line(2, confirmed_at=None), ["Job 1, line 2: its outcome is not as it was with entry #."]),
    (line(3, detail="Nothing."), ["Job 1, line 3: its plan is not as it was with entry #."]),
    (
        line(3, situation="left_behind"),
        [
            "Job 1, line 3: its plan is not as it was with entry #.",
            "Job 1, line 3 (report bob@example.org) is not in the ledger.",
        ],
    ),
    (lambda job: job.actions.filter(seq=2).delete(), ["Job 1, line 2 is gone."]),
    (lambda job: job.actions.filter(seq=3).delete(), ["Job 1, line 3 is gone."]),
    (add("report", "orphan"), ["Job 1, line 4 (report eve@example.org) is not in the ledger."]),
    (add("report", "left_behind"), ["Job 1, line 4 (report eve@example.org) is not in the ledger."]),
    (approve_as_another, ["Job 1: approved_by_id is mallory, and entry # says alice."]),
    (row(approved_by=None), ["Job 1: approved_by_id is empty, and entry # says alice."]),
    (row(approval_reason="So."), ["Job 1: approval_reason is So., and entry # says He left.."]),
    (row(overrides=[]), ["Job 1: overrides is empty, and entry # says [{'at': "]),
    (row(state="failed"), ["Job 1: state is failed, and entry # says succeeded."]),
    (row(state="running"), ["Job 1: state is running, and entry # says succeeded."]),
    (row(trigger="schedule"), ["Job 1: trigger is schedule, and entry # says manual."]),
    (row(digest="0"), ["Job 1: digest is 0, and entry # says "]),
    (row(finished_at=LONG_AGO), ["Job 1: finished_at is "]),
    (shrink_what_was_read, ["Job 1: read: accounts is 1, and entry # says 8."]),
    (delete, ["Job 1 is gone, which entry # tells of."]),
    (add_a_job(timezone.now()), ["Job 8 is not in the ledger."]),
    (add_a_job(timezone.now() - timedelta(days=900)), ["Job 8 is not in the ledger."]),
]


def test_whatever_is_altered_is_found_and_named(job: ProvisioningJob) -> None:
    assert found(job) == []
    for number, (alter, expected) in enumerate(ALTERED):
        with transaction.atomic():
            alter(job)
            told = found(job)
            transaction.set_rollback(True)
        begins = [said[: len(begin)] for said, begin in zip(told, expected, strict=False)]
        assert (number, len(told), begins) == (number, len(expected), expected), told
    assert found(job) == []


def test_in_a_long_plan_the_few_lines_are_named_among_which_it_is(world: World) -> None:
    staffed(world, 1)
    for number in range(130):
        world.organization.add_member(f"o{number}@example.org")
    long = world.job(world.sync())
    line(50, detail="Nothing.")(long)
    assert found(long) == ["Job 1, one of lines 49 to 51: its plan is not as it was with entry #."]


def test_what_retention_has_let_go_is_not_missed(job: ProvisioningJob) -> None:
    delete(job)
    facts = {"kind": "jobs", "numbers": [[1, job.pk]]}
    record(Verb.HISTORY_PRUNED, facts=facts)
    assert found(job) == []


def test_whoever_was_an_approver_may_be_deleted_as_a_user(job: ProvisioningJob) -> None:
    User.objects.get(username="alice").delete()
    assert found(job) == []


def test_jobs_from_before_the_ledger_are_not_asked_for(world: World) -> None:
    long_ago = timezone.now() - timedelta(days=900)
    ProvisioningJob.objects.create(integration=world.integration, state="succeeded", requested_at=long_ago)
    staffed(world, 1)
    assert found(world.job(world.sync())) == []


def test_how_many_actions_were_compared_is_told_and_how_far_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(vouching.altered()) == [0]
    staffed(world, 3)
    world.hire("ada@example.org", "staff")
    world.sync()
    monkeypatch.setattr(vouching, "TELL_EVERY", 1)
    said: list[tuple[int, int]] = []
    assert list(vouching.altered(lambda *so_far: said.append(so_far))) == [1]
    assert said == [(1, 1)]


def test_a_job_at_work_meanwhile_is_no_alteration(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was read before, and its entries after it had gone on."""
    waits = held_job(world)
    world.approver("alice")
    read: list[Any] = []
    told_of = vouching._told_of

    def meanwhile(numbers: Any) -> Any:
        if not read:
            read.append(world.approve(waits.pk))
        return told_of(numbers)

    monkeypatch.setattr(vouching, "_told_of", meanwhile)
    assert found(waits) == []
    assert read
