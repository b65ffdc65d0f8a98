"""Whatever jobs look back at says the same after everything old was pruned."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from integrations.models import Integration
from provisioning import accounts, history, standing
from provisioning.models import Action, GroupGrant, GroupRule, ProvisioningJob, RuleGrant
from provisioning.recalling import recall
from provisioning.reviews.standing import attention
from tests.admin.builders import review, staff, to_review
from tests.provisioning.builders import VOCABULARY
from tests.provisioning.world import World, held_job, staffed
from tests.retention.builders import OLD, age, jobs, prune

pytestmark = pytest.mark.django_db


def a_day_later(world: World) -> dict[str, Any]:
    document = world.sync()
    age(timedelta(days=1))
    return document


@pytest.fixture
def eventful(world: World) -> World:
    """A group that gained and lost a role, a project that was made, a leaver whose key is still there."""
    platform = world.organization.add_group("platform")
    search = world.organization.add_project("Search")
    emails = staffed(world, 6)
    leaver = world.organization.find_user(emails[0])
    world.organization.add_to_group(platform.id, leaver.id)
    world.organization.add_project_key(search.id, leaver.id, "laptop")
    table = GroupRule.objects.create(integration=world.integration, name="platform", state="active")
    GroupGrant.objects.create(rule=table, name="Search", role="viewer")
    a_day_later(world)
    GroupGrant.objects.update(role="member")
    made = world.rule("Builders", group="building")
    RuleGrant.objects.create(rule=made, name="Voice", role="member", create=True)
    world.hire("new@example.org", "building")
    a_day_later(world)
    world.dismiss(emails[0])
    for _ in range(4):
        a_day_later(world)
    return world


def answers(integration: Integration) -> dict[str, Any]:
    """What the next job, and the pages of the integration, ask of old rows."""
    integration.refresh_from_db()
    now, job = timezone.now(), ProvisioningJob(integration=integration, pk=10**9)
    recalled = recall(integration, (), VOCABULARY)
    stands = standing.standing_of(integration)
    return {
        "groups": history.left_with_groups(integration),
        "renewals": history.renewals_put_off(integration, now=now),
        "creations": history.creations_put_off(integration, names_now(integration), read_since=now, now=now),
        "sources": history.sources_before(integration),
        "reads": history.reads_before(job),
        "first": history.is_first_applying(integration),
        "items": history.items_of_last_read(integration),
        "calls": history.calls_of_last_read(integration),
        "taken": history.taken_recently(job, now=now),
        "owed": accounts.owed_a_sweep(integration),
        "recalled": recalled and (recalled.reading, recalled.left, recalled.elsewhere),
        "landmarks": (stands.last_job, stands.last_complete, stands.last_sync, stands.health),
    }


def names_now(integration: Integration) -> dict[tuple[str, str], str]:
    """As if somebody had renamed everything that jobs have made."""
    made = Action.objects.filter(kind="create", new_account_id__isnull=False)
    return {("project", row.new_account_id or ""): "Renamed" for row in made}


def test_all_that_jobs_look_back_at_stays(eventful, tmp_path):
    age()
    before = answers(eventful.integration)
    assert before["groups"]
    assert before["creations"]
    assert prune(tmp_path).contents["jobs"]["number"]
    assert answers(eventful.integration) == before


def job(world: World, **more: Any) -> ProvisioningJob:
    """One that has ended."""
    now = timezone.now()
    ended = {"state": "succeeded", "finished_at": now, "requested_at": now}
    return ProvisioningJob.objects.create(**{"integration": world.integration, **ended, **more})


def test_a_job_that_another_gives_back_stays_as_long_as_that_one(world, tmp_path):
    removal = job(world)
    restore = job(world, restores=removal)
    again = job(world, restores=restore, state="running", finished_at=None)
    spare = job(world)
    job(world)
    age()
    prune(tmp_path, name="1.jsonl.gz")
    assert spare.pk not in jobs()
    assert {removal.pk, restore.pk} <= set(jobs())
    ProvisioningJob.objects.filter(pk=again.pk).update(state="failed", finished_at=timezone.now() - 3 * OLD)
    age()
    prune(tmp_path, name="2.jsonl.gz")
    assert {removal.pk, restore.pk, again.pk}.isdisjoint(jobs())


@pytest.mark.parametrize("gone", [False, True])
def test_a_job_stays_as_long_as_a_key_that_it_told_of_is_there(world, tmp_path, gone):
    told, now = job(world), timezone.now()
    held = {"kind": "project key", "id": "proj_1/key_1", "name": "laptop"}
    told.actions.create(seq=1, kind="report", situation="left_behind", entitlement=held, state="done")
    world.integration.keys.create(
        kind=held["kind"],
        remote_id=held["id"],
        first_seen_at=now,
        last_seen_at=now,
        gone_at=now if gone else None,
    )
    job(world)
    age()
    prune(tmp_path)
    assert (told.pk in jobs()) is not gone


def test_a_plan_that_waits_for_an_approver_can_still_be_approved(world, tmp_path):
    for _ in range(4):
        world.preview()
        age(timedelta(days=1))
    world.configure(plan_valid_hours=24 * 1000)
    held = held_job(world)
    world.approver()
    age()
    assert prune(tmp_path).contents["jobs"]["number"] > 0
    assert world.approve(held.pk)["state"] == "succeeded"


def test_the_last_word_on_a_groups_right_and_what_was_made_stay(world, tmp_path):
    right = {"kind": "project role", "id": "proj_1/viewer", "name": "Search: viewer"}
    group = {"kind": "group", "id": "group_1", "name": "platform"}
    made = {"kind": "project", "id": "", "name": "Voice"}
    lines = [
        {"kind": "grant", "holder": group, "entitlement": right},
        {"kind": "revoke", "holder": group, "entitlement": right},
        {"kind": "create", "entitlement": made, "new_account_id": "proj_2"},
        {"kind": "create", "entitlement": made},
    ]
    told = [job(world) for _ in lines]
    for of, line in zip(told, lines, strict=True):
        of.actions.create(seq=1, situation="missing", state="done", **line)
    job(world)
    age()
    prune(tmp_path)
    assert [of.pk in jobs() for of in told] == [False, True, True, False]


def test_a_review_is_still_told_to_be_carried_out_years_later(world, tmp_path):
    chief = staff("chief", is_superuser=True)
    campaign = review(world.integration, by=chief, state="finished")
    to_review(campaign, chief, decision="revoke")
    carried_out = job(world, reviews=campaign)
    spare = job(world)
    for _ in range(2):
        job(world)
    age()
    prune(tmp_path)
    assert spare.pk not in jobs()
    assert carried_out.pk in jobs()
    assert attention(timezone.localdate()) == []
