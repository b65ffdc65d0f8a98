"""What one job leaves behind for the next: nothing of it may lower a guard."""

from typing import Any

import pytest
from django.utils import timezone

from directory.models import Person, Source
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Integration
from provisioning import reconciliation, requesting
from provisioning.models import Account, ProvisioningJob
from tests.provisioning.world import World, brief, staffed

pytestmark = pytest.mark.django_db(transaction=True)


def scheduled(world: World, **of: Any) -> ProvisioningJob:
    """A job as the clock asks for it, run to its end."""
    job = requesting.request_job(
        world.integration, trigger=ProvisioningJob.Trigger.SCHEDULE, deliver=False, **of
    )
    reconciliation.run(job.pk)
    job.refresh_from_db()
    return job


def test_an_ambiguous_account_is_still_ambiguous_to_the_next_sync(world: World) -> None:
    staffed(world, 3)
    world.sync()
    ada = Person.objects.get(email="p0@example.org")
    ada.email = "ada@example.org"
    ada.save()
    ada.claim_addresses([])
    world.hire("p0@example.org")
    for _ in range(3):
        document = world.sync()
        assert [action["situation"] for action in document["actions"]] == ["ambiguous"]
    assert "p0@example.org" in world.members()


def test_two_people_who_swap_addresses_stay_apart_until_somebody_links_them(world: World) -> None:
    staffed(world, 3)
    world.sync()
    one, other = Person.objects.get(email="p0@example.org"), Person.objects.get(email="p1@example.org")
    for person in (one, other):
        person.addresses.all().delete()
    one.email, other.email = other.email, one.email
    for person in (one, other):
        person.save()
        person.claim_addresses([])
    world.sync()
    other.active = False
    other.save()
    assert [action["situation"] for action in world.sync()["actions"]] == ["ambiguous"]
    assert {"p0@example.org", "p1@example.org"} <= world.members()


def test_a_plan_left_to_an_earlier_one_does_not_count_as_the_first_that_was_carried_out(world: World) -> None:
    world.configure(first_removals=Integration.FirstRemovals.HOLD)
    staffed(world, 6)
    world.dismiss("p0@example.org")
    assert world.sync()["state"] == "awaiting_approval"
    for _ in range(3):
        scheduled(world)
    assert "p0@example.org" in world.members()


def test_a_sync_of_one_person_does_not_count_as_the_first(world: World) -> None:
    world.configure(first_removals=Integration.FirstRemovals.HOLD)
    staffed(world, 6)
    world.hire("new@example.org", "staff")
    assert world.sync("--person", "new@example.org")["state"] == "succeeded"
    world.dismiss("p0@example.org")
    assert [hold["code"] for hold in world.sync()["holds"]] == ["first_removals"]


@pytest.mark.parametrize("options", [("--preview",), ("--person", "p0@example.org")])
def test_previews_and_syncs_of_one_person_do_not_lower_the_guard_of_a_source(
    world: World, options: tuple[str, ...]
) -> None:
    emails = staffed(world, 20)
    world.sync()
    world.dismiss(*emails[16:])
    world.sync(*options)
    world.dismiss(*emails[13:16])
    assert world.sync()["refusal"]["code"] == "source_shrunk"


def remove_by_hand(world: World, *emails: str) -> None:
    for email in emails:
        world.organization.remove_user(world.organization.find_user(email).id)


@pytest.mark.parametrize("options", [("--preview",), ("--person", "p9@example.org")])
def test_previews_and_syncs_of_one_person_do_not_get_used_to_missing_accounts(
    world: World, options: tuple[str, ...]
) -> None:
    emails = staffed(world, 10)
    world.sync()
    remove_by_hand(world, *emails[:3])
    world.sync(*options)
    remove_by_hand(world, *emails[3:6])
    assert [hold["code"] for hold in world.sync()["holds"]] == ["accounts_vanished"]


def test_a_sync_of_one_person_with_nothing_to_do_does_not_accept_that_accounts_vanished(world: World) -> None:
    emails = staffed(world, 10)
    world.sync()
    remove_by_hand(world, *emails[:5])
    assert world.sync("--person", "p9@example.org")["actions"] == []
    assert [hold["code"] for hold in world.sync()["holds"]] == ["accounts_vanished"]


def test_a_refused_job_does_not_accept_that_accounts_vanished(world: World) -> None:
    emails = staffed(world, 10)
    world.sync()
    remove_by_hand(world, *emails[:5])
    Person.objects.update(active=False)
    assert world.sync()["refusal"]["code"] == "directory_empty"
    Person.objects.update(active=True)
    assert [hold["code"] for hold in world.sync()["holds"]] == ["accounts_vanished"]


def test_observing_does_not_accept_that_accounts_vanished(world: World) -> None:
    emails = staffed(world, 10)
    world.sync()
    remove_by_hand(world, *emails[:5])
    world.configure(mode=Integration.Mode.OBSERVE)
    world.sync()
    world.configure(mode=Integration.Mode.MANAGE)
    assert [hold["code"] for hold in world.sync()["holds"]] == ["accounts_vanished"]


def test_an_approval_does_not_mark_accounts_gone_that_came_back(world: World) -> None:
    emails = staffed(world, 10)
    world.sync()
    gone = [world.organization.find_user(email) for email in emails[:5]]
    remove_by_hand(world, *emails[:5])
    job = world.job(world.sync())
    world.organization.users[gone[0].id] = gone[0]
    world.organization.changed()
    world.preview()
    world.approver()
    world.approve(job.pk)
    assert Account.objects.get(remote_id=gone[0].id).gone_at is None


def test_a_sync_of_one_person_does_not_take_anothers_drift_for_how_it_was_left(world: World) -> None:
    staffed(world, 3)
    world.sync()
    world.organization.find_user("p0@example.org").role = "owner"
    world.sync("--person", "p1@example.org")
    assert [action["situation"] for action in world.sync()["actions"]] == ["drift"]


def test_a_sync_of_one_person_says_that_they_are_part_of_an_ambiguity(world: World) -> None:
    staffed(world, 2)
    world.sync()
    ada = Person.objects.get(email="p0@example.org")
    ada.email = "ada@example.org"
    ada.save()
    ada.claim_addresses([])
    world.hire("p0@example.org")
    for email in ("ada@example.org", "p0@example.org"):
        assert [action["situation"] for action in world.sync("--person", email)["actions"]] == ["ambiguous"]


def test_a_list_of_invites_that_leaves_some_out_is_disproved_by_asking_for_them(world: World) -> None:
    world.rule("Staff", group="staff")
    for place in range(3):
        world.hire(f"p{place}@example.org", "staff")
    world.sync()
    before = len(world.writes())
    world.simulator.inject(Fault(Kind.EMPTY, path="/organization/invites", every=True))
    document = world.sync()
    assert (document["state"], len(world.writes())) == ("inconclusive", before)


def test_an_invite_that_was_accepted_or_withdrawn_is_not_taken_for_a_short_list(world: World) -> None:
    world.rule("Staff", group="staff")
    for place in range(3):
        world.hire(f"p{place}@example.org", "staff")
    world.sync()
    world.organization.accept_invite("p0@example.org")
    world.organization.withdraw_invite(
        next(i.id for i in world.organization.invites.values() if i.email == "p1@example.org")
    )
    assert brief(world.sync()) == [("invite", "p1@example.org", "done")]


def test_a_source_that_was_renamed_has_not_shrunk(world: World) -> None:
    emails = staffed(world, 20)
    world.sync()
    Source.objects.filter(name="hr").update(name="people")
    assert world.sync()["state"] == "succeeded"
    Source.objects.filter(name="people").update(name="staff")
    world.dismiss(*emails[:7])
    document = world.sync()
    assert document["refusal"]["code"] == "source_shrunk"
    assert "'staff' shrank from 21 to 14" in document["refusal"]["detail"]
    Source.objects.get(name="staff").allow_drop(now=timezone.now())
    assert world.sync()["holds"][0]["code"] == "removal_limit"


def test_an_account_whose_person_linked_by_hand_was_deleted_can_be_somebodys_again(world: World) -> None:
    staffed(world, 3)
    world.sync()
    account = Account.objects.filter(email="p0@example.org")
    account.update(match=Account.Match.MANUAL)
    Person.objects.get(email="p0@example.org").delete()
    world.sync()
    again = world.hire("p0@example.org", "staff")
    world.sync()
    assert (account.get().person, account.get().match) == (again, Account.Match.EMAIL)


def test_a_name_that_is_too_long_for_its_column_stops_no_sync(world: World) -> None:
    staffed(world, 2)
    world.organization.find_user("p0@example.org").name = "P" + "0" * 1000
    world.organization.changed()
    assert world.sync()["state"] == "succeeded"
    assert Account.objects.get(email="p0@example.org").name == "P" + "0" * 299
