"""Since when the directory has known of a leaver is not forgotten from one plan to the next."""

from datetime import timedelta

from django.utils import timezone

from directory import revising
from directory.models import Person
from integrations.models import Integration
from provisioning.delays import departures
from provisioning.lateness import Cause, main_cause
from provisioning.models import Action
from provisioning.promptness import promptness
from tests.provisioning.world import World, staffed


def test_whoever_left_while_it_observed_was_known_when_the_directory_said_so(world: World) -> None:
    gone, *_ = staffed(world, 4)
    world.configure(mode=Integration.Mode.OBSERVE)
    person, before = world.person(gone), revising.known([world.person(gone).pk])
    said_at = timezone.now()
    Person.objects.filter(pk=person.pk).update(active=False)
    revising.note(before, [person.pk], by="hr", now=said_at)
    world.sync()
    world.configure(mode=Integration.Mode.MANAGE, removal_target_hours=1)
    world.sync()

    observed, removed = Action.objects.filter(situation="leaver").order_by("pk")
    assert (observed.error["code"], observed.known_at, removed.known_at) == ("mode", said_at, said_at)

    Action.objects.filter(pk=removed.pk).update(confirmed_at=said_at + timedelta(hours=2))
    Action.objects.filter(pk=observed.pk).update(finished_at=said_at)
    removed.job.__class__.objects.filter(pk=removed.job_id).update(planned_at=said_at + timedelta(hours=2))
    told = promptness(world.integration, now=timezone.now())
    assert told is not None
    assert [one.email for one in told.breaches] == [gone]
    assert [
        main_cause(one).cause for one in departures(world.integration.pk, told.breaches, now=timezone.now())
    ] == [Cause.MODE]
