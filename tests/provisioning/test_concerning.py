"""A change of somebody wakes only the integrations that it is about, however many there are."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from directory.models import Group
from integrations.models import Integration
from provisioning import requesting
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
