"""The guard of a source, whatever fills it: what is taken away bit by bit counts together for an hour."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from directory.models import Source
from provisioning.models import ProvisioningJob
from tests.provisioning.world import World, staffed


@pytest.mark.parametrize("kind", Source.Kind)
def test_many_who_leave_one_by_one_with_syncs_between_hold_the_integrations(world: World, kind: str) -> None:
    Source.objects.update(kind=kind)
    emails = staffed(world, 15)
    world.configure(removal_limit_count=100)
    world.sync()
    for email in emails[:3]:
        world.dismiss(email)
        assert world.sync()["state"] == "succeeded"
    world.dismiss(emails[3])

    refusal = world.sync()["refusal"]

    assert refusal["code"] == "source_shrunk"
    assert "shrank from 16 to 12 active people" in refusal["detail"]
    assert world.members() & set(emails[:5]) == set(emails[3:5])
    Source.objects.get().allow_drop(now=timezone.now())
    assert world.sync()["state"] == "succeeded"


def test_a_few_leavers_in_every_hour_hold_nothing(world: World) -> None:
    emails = staffed(world, 15)
    world.configure(removal_limit_count=100)
    world.sync()
    for email in emails[:5]:
        world.dismiss(email)
        assert world.sync()["state"] == "succeeded"
        ProvisioningJob.objects.update(planned_at=F("planned_at") - timedelta(minutes=61))
