"""A change of somebody wakes only the integrations that it is about, however many there are."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from directory.models import Group, Membership, Person, PersonEmail
from integrations.models import Integration
from provisioning import concerning, reconciliation, requesting
from provisioning.models import AccessRule, PersonChange, ProvisioningJob
from tests.provisioning.world import World, staffed

pytestmark = pytest.mark.django_db


def others(number: int) -> list[Integration]:
    """So many integrations that were read once, each with a rule for a group of its own."""
    made = []
    for _ in range(number):
        name = f"Other {Integration.objects.count()}"
        other = Integration.objects.create(kind="openai", name=name, enabled=True)
        group = Group.objects.create(name=name)
        AccessRule.objects.create(integration=other, name=name, role="reader", group=group, state="active")
        now = timezone.now()
        other.jobs.create(state=ProvisioningJob.State.SUCCEEDED, requested_at=now, planned_at=now)
        made.append(other)
    return made


def asked_for(world: World, *emails: str) -> int:
    """How many queries it takes to note that these have changed, and to ask for their jobs."""
    with CaptureQueriesContext(connection) as asked:
        with transaction.atomic():
            requesting.people_changed([world.person(email).pk for email in emails])
        requesting.request_people_jobs(timezone.now())
    return len(asked)


def waits_at() -> set[str]:
    return set(PersonChange.objects.values_list("integration__name", flat=True))


def test_only_where_a_rule_speaks_of_them_or_an_account_is_theirs(world: World) -> None:
    first, second, third = others(3)
    emails = staffed(world, 2)
    world.sync()
    third.accounts.create(
        remote_id="user-1",
        email=emails[0].upper(),
        state="active",
        first_seen_at=timezone.now(),
        last_seen_at=timezone.now(),
    )
    requesting.people_changed([world.person(emails[0]).pk])
    assert waits_at() == {"Acme", third.name}
    newcomer = world.hire("new@example.org", second.name)
    requesting.people_changed([newcomer.pk])
    assert set(newcomer.changes.values_list("integration__name", flat=True)) == {second.name}
    AccessRule.objects.filter(integration=first).update(group=None)
    requesting.people_changed([newcomer.pk])
    assert set(newcomer.changes.values_list("integration__name", flat=True)) == {first.name, second.name}


def test_each_of_some_only_where_it_is_about_them(world: World) -> None:
    first, second, _ = others(3)
    one, two = (
        world.hire("one@example.org", first.name),
        world.hire("two@example.org", first.name, second.name),
    )
    requesting.people_changed([one.pk, two.pk])
    read = PersonChange.objects.exclude(integration=world.integration)  # which was not read yet
    noted = {(change.integration.name, change.person.email) for change in read}
    assert noted == {(first.name, one.email), (first.name, two.email), (second.name, two.email)}


def test_who_changes_costs_the_same_beside_few_integrations_and_beside_many(world: World) -> None:
    emails = staffed(world, 3)
    world.sync()
    world.dismiss(*emails)
    others(2)
    few = asked_for(world, emails[0])
    ProvisioningJob.objects.update(state="succeeded")
    others(30)
    assert asked_for(world, emails[1]) == few


# -- whom an integration is about


def outsiders(world: World, number: int) -> None:
    """People of whom no rule of Acme speaks."""
    known = Person.objects.count()
    world.hire_all([f"outsider{known + place}@example.org" for place in range(number)], "elsewhere")


def test_a_plan_is_the_same_whether_all_people_were_read_or_those_it_may_be_about(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    emails = staffed(world, 6)
    world.sync()
    outsiders(world, 5)
    world.hire("new@example.org", "staff")
    world.rule("Proposed", group="elsewhere", state="proposed")
    world.dismiss(emails[0])
    Membership.objects.filter(person=world.person(emails[1])).delete()
    renamed = world.person(emails[2])  # known by the account that was matched to them before
    Membership.objects.filter(person=renamed).delete()
    Person.objects.filter(pk=renamed.pk).update(email="renamed@example.org")
    PersonEmail.objects.filter(person=renamed).update(
        address="renamed@example.org", key="renamed@example.org"
    )
    world.organization.add_member("OUTSIDER9@example.org")  # who has an account that no rule gives
    world.organization.add_member("nobody@example.org")
    plans = []
    for share in (1, 10**6):
        monkeypatch.setattr(concerning, "SHARE", share)
        document = world.preview()
        plans.append((document["digest"], document["counts"]))
    assert plans[0] == plans[1]
    assert plans[0][1]["planned"] == 5


def test_where_it_is_about_few_the_rest_of_the_directory_is_not_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def number() -> int:
        with CaptureQueriesContext(connection) as asked:
            assert world.sync()["state"] == "succeeded"
        return len(asked)

    staffed(world, 2)
    outsiders(world, 20)
    world.sync()
    monkeypatch.setattr(reconciliation, "take_snapshot", lambda now: pytest.fail("All people are read."))
    number()
    few = number()
    outsiders(world, 500)
    assert number() == few
    assert ProvisioningJob.objects.latest("pk").directory["people"] == 523
