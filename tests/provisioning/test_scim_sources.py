"""An identity provider's changes on their way to the organization, and the guard of its source."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from provisioning import reconciliation, requesting
from provisioning.models import AccessRule, ProvisioningJob
from tests.provisioning.world import World
from tests.scim.builders import ScimClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def okta() -> ScimClient:
    return ScimClient("okta")


def employed(world: World, okta: ScimClient, number: int) -> list[str]:
    """The ids of so many people whom Okta has written, and who are members already."""
    ids = []
    for place in range(number):
        ids.append(okta.user(f"p{place}@example.org")["id"])
        world.organization.add_member(f"p{place}@example.org")
    okta.group("staff", *ids)
    world.rule("Staff", group="staff")
    world.configure(removal_limit_count=100)
    return ids


def deactivate(okta: ScimClient, id: str) -> None:
    assert okta.patch(f"/Users/{id}", {"op": "replace", "value": {"active": False}}).status == 204


def an_hour_passes() -> None:
    ProvisioningJob.objects.update(planned_at=F("planned_at") - timedelta(minutes=61))


def test_a_client_that_deactivates_many_at_once_is_obeyed_and_the_sync_refused(
    world: World, okta: ScimClient
) -> None:
    ids = employed(world, okta, 15)
    assert world.sync()["state"] == "succeeded"
    for id in ids[:4]:
        deactivate(okta, id)

    document = world.sync()

    assert document["refusal"]["code"] == "source_shrunk"
    assert "'okta' shrank from 15 to 11" in document["refusal"]["detail"]
    assert "p0@example.org" in world.members()


def test_many_who_are_deactivated_one_by_one_with_syncs_between_count_together(
    world: World, okta: ScimClient
) -> None:
    ids = employed(world, okta, 15)
    assert world.sync()["state"] == "succeeded"
    for id in ids[:3]:
        deactivate(okta, id)
        assert world.sync()["state"] == "succeeded"
    deactivate(okta, ids[3])

    assert world.sync()["refusal"]["code"] == "source_shrunk"
    an_hour_passes()
    assert world.sync()["refusal"]["code"] == "source_shrunk"  # time alone settles nothing

    okta.source.allow_drop(now=timezone.now())
    assert world.sync()["state"] == "succeeded"
    assert world.members() & {f"p{place}@example.org" for place in range(5)} == {"p4@example.org"}


def test_a_few_leavers_in_every_hour_are_the_way_of_the_world(world: World, okta: ScimClient) -> None:
    ids = employed(world, okta, 15)
    assert world.sync()["state"] == "succeeded"
    for id in ids[:5]:
        deactivate(okta, id)
        assert world.sync()["state"] == "succeeded"
        an_hour_passes()


def test_a_changed_address_leaves_the_account_where_it_is(world: World, okta: ScimClient) -> None:
    (id,) = employed(world, okta, 1)
    world.sync()

    okta.patch(f"/Users/{id}", {"op": "Replace", "path": "userName", "value": "new.name@example.org"})

    assert world.sync()["counts"]["planned"] == 0
    assert "p0@example.org" in world.members()


def test_a_group_that_a_rule_names_is_filled_by_the_client(world: World, okta: ScimClient) -> None:
    world.hire("by.hand@example.org", "builders")
    world.rule("Builders", group="builders")
    id = okta.user("ada@example.org")["id"]

    okta.group("Builders", id)

    invited = {action["email"] for action in world.sync()["actions"] if action["kind"] == "invite"}
    assert invited == {"by.hand@example.org", "ada@example.org"}
    assert AccessRule.objects.get(name="Builders").group.name == "builders"


def test_somebody_without_an_address_is_reported_and_not_invited(world: World, okta: ScimClient) -> None:
    id = okta.user("ada", displayName="Ada")["id"]
    okta.group("staff", id)
    world.rule("Staff", group="staff")

    reports = [action for action in world.sync()["actions"] if action["situation"] == "no_address"]

    assert [report["kind"] for report in reports] == ["report"]
    assert (
        "Ada has no e-mail" in ProvisioningJob.objects.latest("pk").actions.get(situation="no_address").detail
    )


@pytest.mark.parametrize("written", ["False", False])
def test_a_leaver_is_looked_at_at_once(world: World, okta: ScimClient, written: object) -> None:
    (id,) = employed(world, okta, 1)
    world.sync()

    okta.patch(f"/Users/{id}", {"op": "Replace", "path": "active", "value": written})

    [job] = requesting.request_people_jobs(timezone.now())
    reconciliation.run(job.pk)
    assert list(job.actions.values_list("kind", "email", "state")) == [("remove", "p0@example.org", "done")]
