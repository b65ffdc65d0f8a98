"""Which keys and service accounts there are, as complete reads saw them."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from integrations.connectors.http import Request, Transport
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.connectors.openai.simulator.records import Project
from integrations.models import Integration
from provisioning import reconciliation
from provisioning.models import Account, Key
from tests.provisioning.world import World, staffed

pytestmark = pytest.mark.django_db(transaction=True)

KEYS, ADMIN_KEYS = "/organization/projects/*/api_keys", "/organization/admin_api_keys"
LEAVER = "p0@example.org"


@pytest.fixture
def search(world: World) -> Project:
    """A project in which somebody and a service account have a key each."""
    [email] = staffed(world, 1)
    project = world.organization.add_project("Search")
    owner = world.organization.find_user(email)
    world.organization.add_project_key(project.id, owner.id, "laptop")
    robot = world.organization.add_service_account(project.id, "robot")
    world.organization.add_project_key(project.id, robot.id, "robot's")
    return project


def a_day_passes() -> None:
    now = timezone.now()
    Integration.objects.update(
        keys_read_at=now - timedelta(days=1), keys_asked_at=now - timedelta(days=1), next_sync_at=now
    )


def known() -> dict[str, bool]:
    """Of those of the project: whether they are there."""
    return {row.name: row.gone_at is None for row in Key.objects.filter(place="the project Search")}


def read_at(world: World) -> Any:
    world.integration.refresh_from_db()
    return world.integration.keys_read_at


def listings(world: World) -> list[str]:
    return [asked.path for asked in world.simulator.requests if asked.path.endswith("/api_keys")]


def test_a_sync_keeps_what_keys_there_are_and_whose(world: World, search: Project) -> None:
    assert world.sync()["state"] == "succeeded"
    assert known() == {"laptop": True, "robot's": True, "robot": True}
    laptop = Key.objects.get(name="laptop")
    assert (laptop.account, laptop.kind) == (Account.objects.get(email=LEAVER), "project key")
    assert laptop.account.person == world.person(LEAVER)
    ours = Key.objects.get(is_ours=True)
    organization = world.organization
    assert organization.admin_keys[ours.remote_id].value == organization.admin_key
    assert read_at(world) == laptop.last_seen_at == laptop.first_seen_at
    assert world.integration.keys_unread == []


def test_they_are_read_once_a_day_and_by_full_syncs_alone(world: World, search: Project) -> None:
    world.preview()
    world.sync("--person", LEAVER)
    assert listings(world) == []
    world.sync()
    number = len(listings(world))
    world.sync()
    assert len(listings(world)) == number == 2  # one for each project
    a_day_passes()
    world.sync()
    assert len(listings(world)) == 2 * number


def test_what_was_made_and_what_has_ended_between_two_reads_is_seen(world: World, search: Project) -> None:
    world.sync()
    first = read_at(world)
    organization = world.organization
    for key in [*organization.project_keys.values()]:
        if key.name == "laptop":
            key.last_used_at = organization.now
        elif key.name == "robot's":
            organization.delete_project_key(search.id, key.id)
    organization.add_project_key(search.id, organization.find_user(LEAVER).id, "phone")
    a_day_passes()
    world.sync()
    assert known() == {"laptop": True, "robot's": False, "robot": True, "phone": True}
    laptop, phone, ended = (Key.objects.get(name=name) for name in ("laptop", "phone", "robot's"))
    assert laptop.last_used_at is not None
    assert (laptop.first_seen_at, laptop.last_seen_at) == (first, phone.first_seen_at)
    assert (ended.last_seen_at, ended.gone_at) == (first, phone.first_seen_at)
    assert set(Key.objects.changed()) == {phone, ended}


@pytest.mark.parametrize("path", [KEYS, ADMIN_KEYS, "/organization/projects/*/service_accounts"])
def test_a_list_that_is_not_proven_complete_leaves_all_as_it_was(
    world: World, search: Project, path: str
) -> None:
    world.sync()
    before = [*Key.objects.order_by("pk").values()]
    for id in [*world.organization.project_keys]:
        del world.organization.project_keys[id]
    world.organization.changed()
    a_day_passes()
    world.integration.refresh_from_db()
    last = world.integration.keys_read_at
    world.simulator.inject(Fault(Kind.TRUNCATED, path=path, every=True))
    assert world.sync()["state"] == "succeeded"
    assert [*Key.objects.order_by("pk").values()] == before
    assert read_at(world) == last
    [trouble] = world.integration.keys_unread
    assert "is not JSON" in trouble


def test_a_kind_that_may_not_be_read_is_not_gone(world: World, search: Project) -> None:
    world.sync()
    number = len(listings(world))
    a_day_passes()
    world.simulator.inject(Fault(Kind.FORBIDDEN, path=KEYS, every=True))
    world.organization.delete_service_account(search.id, next(iter(world.organization.service_accounts)))
    assert world.sync()["state"] == "succeeded"
    assert known() == {"laptop": True, "robot's": True, "robot": False}
    assert read_at(world) > Key.objects.get(name="laptop").last_seen_at
    [unread] = world.integration.keys_unread
    assert unread.startswith("The keys of projects could not be looked for.")
    assert len(listings(world)) == number + 1


def test_a_read_that_failed_is_tried_again_after_an_hour(world: World, search: Project) -> None:
    world.simulator.inject(Fault(Kind.HTML, path=KEYS))
    world.sync()
    world.sync()
    assert (len(listings(world)), read_at(world)) == (1, None)
    Integration.objects.update(keys_asked_at=timezone.now() - timedelta(hours=1))
    world.sync()
    assert read_at(world) is not None


def test_a_worker_that_is_stopped_in_it_leaves_nothing_half_written(
    world: World, search: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = Transport._send

    def stopped(self: Transport, request: Request) -> Any:
        if request.path.endswith("/service_accounts"):
            raise KeyboardInterrupt
        return sent(self, request)

    monkeypatch.setattr(Transport, "_send", stopped)
    with pytest.raises(KeyboardInterrupt):
        world.sync()
    assert not Key.objects.exists()
    monkeypatch.setattr(Transport, "_send", sent)
    Integration.objects.update(keys_asked_at=timezone.now() - timedelta(hours=1))
    job = world.integration.jobs.get()
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, known()) == ("succeeded", {"laptop": True, "robot's": True, "robot": True})


def test_a_key_that_was_revoked_after_a_removal_is_gone_at_once(world: World, search: Project) -> None:
    world.configure(leaver_keys=Integration.LeaverKeys.REVOKE)
    world.sync()
    world.dismiss(LEAVER)
    world.sync()
    assert known() == {"laptop": False, "robot's": True, "robot": True}


def test_what_a_sweep_has_read_is_kept_and_not_read_again_the_same_day(world: World, search: Project) -> None:
    world.dismiss(LEAVER)
    world.sync()
    assert sorted(listings(world)) == sorted(
        f"/v1/organization/projects/{project.id}/api_keys" for project in world.organization.projects.values()
    )
    assert known() == {"laptop": True, "robot's": True, "robot": True}
    assert Key.objects.get(name="robot").unattended
    assert read_at(world) is not None


def test_a_key_that_another_job_revokes_during_the_read_stays_gone(
    world: World, search: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sync()
    sent = Transport._send

    def meanwhile(self: Transport, request: Request) -> Any:
        if request.path.endswith("/service_accounts"):
            Key.objects.filter(name="laptop").update(gone_at=timezone.now())
        return sent(self, request)

    monkeypatch.setattr(Transport, "_send", meanwhile)
    a_day_passes()
    world.sync()
    assert known() == {"laptop": False, "robot's": True, "robot": True}


# -- which of them somebody should look at


def test_keys_of_people_who_have_left_are_told_apart(world: World, search: Project) -> None:
    world.sync()
    today = timezone.localdate()

    def of_leavers() -> list[str]:
        return list(Key.objects.present().of_leavers(today).values_list("name", flat=True))

    assert of_leavers() == []
    world.dismiss(LEAVER)
    assert of_leavers() == ["laptop"]
    world.hire_again(LEAVER)
    Account.objects.filter(email=LEAVER).update(gone_at=timezone.now())
    assert of_leavers() == ["laptop"]
    Key.objects.filter(name="laptop").update(account=None)
    assert of_leavers() == ["laptop"]


def test_keys_that_nobody_used_for_long_are_told_apart(world: World, search: Project) -> None:
    world.sync()
    now = timezone.now()
    long_ago = now - timedelta(days=91)
    Key.objects.filter(name__in=("laptop", "robot")).update(made_at=long_ago)
    Key.objects.filter(name="robot's").update(made_at=long_ago, last_used_at=now)
    unused = Key.objects.unused_since(now - Key.UNUSED_FOR)
    assert [key.name for key in unused] == ["laptop"]
