"""Another mode shows first what it would do: a preview as if it were set, and then the switch."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.ledger.verbs import Verb
from directory.models import Person
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Integration
from provisioning import reconciliation, requesting
from provisioning.models import ProvisioningJob
from tests.admin.browser import said
from tests.ledger.told import facts, last, verbs
from tests.provisioning.world import World, command, staffed

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def acme(world: World) -> World:
    """It observes; one person has left, and one is new."""
    emails = staffed(world, 6)
    world.dismiss(emails[0])
    world.hire("new@example.org", "staff")
    world.configure(mode="observe", first_removals=Integration.FirstRemovals.HOLD)
    return world


@pytest.fixture
def operator(acme: World) -> Client:
    client = Client()
    client.force_login(acme.approver("olga"))
    return client


def address(world: World, mode: str = "manage", of: str = "mode") -> str:
    return reverse(f"admin:integrations_integration_{of}", args=[world.integration.pk, mode])


def preview(world: World, operator: Client, mode: str = "manage") -> ProvisioningJob:
    operator.post(address(world, mode, of="mode_preview"))
    job = ProvisioningJob.objects.latest("pk")
    reconciliation.run(job.pk)
    job.refresh_from_db()
    return job


def shown(world: World, operator: Client, mode: str = "manage") -> str:
    return " ".join(unescape(operator.get(address(world, mode)).content.decode()).split())


def test_a_higher_mode_is_shown_as_it_would_be_and_changes_nothing(acme: World, operator: Client) -> None:
    assert "What would mode manage do?" in shown(acme, operator)
    operator.post(address(acme, of="mode_preview"))
    assert 'hx-trigger="every 2s"' in shown(acme, operator)
    job = ProvisioningJob.objects.get()
    reconciliation.run(job.pk)

    html = shown(acme, operator)

    for sentence in (
        "Here is what mode manage would do",
        "A sync would invite 1 person.",
        "It would wait for an approver before it does the following: remove 1 account.",
        "1 of 7 accounts would lose access in the first sync of this integration.",
        "Switch to manage",
        "Stay in observe",
    ):
        assert sentence in html
    job.refresh_from_db()
    acme.integration.refresh_from_db()
    assert (job.mode, job.preview, acme.integration.mode, acme.writes()) == ("manage", True, "observe", [])
    assert job.request_reason == "What mode manage would do."


def test_the_switch_leaves_a_full_interval_and_the_history_says_what_had_been_shown(
    acme: World, operator: Client
) -> None:
    job = preview(acme, operator)

    answer = operator.post(address(acme), {"from": "observe"})

    acme.integration.refresh_from_db()
    assert acme.integration.mode == "manage"
    assert acme.integration.next_sync_at is not None
    assert acme.integration.next_sync_at > timezone.now() + timedelta(minutes=29)
    assert said(answer)[0].startswith("Acme is in mode manage now.")
    assert ProvisioningJob.objects.count() == 1, "what was shown is not shown again"
    assert last(Verb.CHANGED).told() == {
        "before": {"mode": "observe"},
        "after": {"mode": "manage"},
        "facts": {"shown_before_by": str(job)},
    }
    document = acme.sync()
    assert (document["state"], document["digest"]) == ("awaiting_approval", job.digest)


def test_a_lower_mode_holds_at_once(acme: World, operator: Client) -> None:
    acme.configure(mode="manage")
    before = acme.integration.next_sync_at

    operator.post(address(acme, "extend"), {"from": "manage"})

    acme.integration.refresh_from_db()
    assert (acme.integration.mode, acme.integration.next_sync_at) == ("extend", before)
    assert not ProvisioningJob.objects.exists()
    assert last(Verb.CHANGED).told() == {"before": {"mode": "manage"}, "after": {"mode": "extend"}}


def test_a_preview_that_comes_to_nothing_is_told_and_hinders_nobody(acme: World, operator: Client) -> None:
    acme.simulator.inject(Fault(Kind.EMPTY_WITH_MORE, path="/organization/users", every=True))
    job = preview(acme, operator)
    assert job.state == ProvisioningJob.State.INCONCLUSIVE

    html = shown(acme, operator)

    assert "The preview of mode manage came to nothing" in html
    assert job.refusal is not None
    assert job.refusal["detail"] in html
    assert "Preview again" in html
    assert "Switch to manage unseen" in html
    operator.post(address(acme), {"from": "observe"})
    acme.integration.refresh_from_db()
    assert acme.integration.mode == "manage"
    assert facts(Verb.CHANGED) == {"shown_before_by": "no preview"}


def test_a_plan_that_would_be_refused_says_so(acme: World, operator: Client) -> None:
    acme.dismiss(*Person.objects.values_list("email", flat=True))
    preview(acme, operator)
    html = shown(acme, operator)
    assert "A sync would be refused, and change nothing" in html
    assert "Nobody in the directory is active" in html


def test_what_changed_since_the_preview_is_told(acme: World, operator: Client) -> None:
    preview(acme, operator)
    assert "A new preview tells how it is now." not in shown(acme, operator)
    acme.sync()
    assert "A new preview tells how it is now." not in shown(acme, operator), "the same plan, line by line"

    requesting.people_changed([acme.hire("late@example.org", "staff").pk])
    assert "The directory or an access rule has changed since it was made." in shown(acme, operator)
    later = acme.sync()
    assert f"Job {later['job']}, which came later, plans something else." in shown(acme, operator)


def test_while_another_job_is_at_work_its_number_is_told(acme: World, operator: Client) -> None:
    running = requesting.request_job(acme.integration, deliver=False)
    answer = operator.post(address(acme, of="mode_preview"))
    assert said(answer) == [f"No preview was queued: {running} is already queued."]
    assert f"{running}</a> is at work. A preview can start when it has ended." in shown(acme, operator)


def test_who_comes_second_is_told_that_it_is_done(acme: World, operator: Client) -> None:
    preview(acme, operator)
    command("configure", "Acme", "--set", "mode=manage")
    assert "Acme is in mode manage already" in shown(acme, operator)
    assert said(operator.post(address(acme))) == ["Acme is in mode manage already."]
    assert verbs().count(Verb.CHANGED) == 1


def test_a_switch_from_a_mode_that_it_is_no_longer_in_is_shown_anew(acme: World, operator: Client) -> None:
    acme.configure(mode="extend")
    answer = operator.post(address(acme), {"from": "observe"})
    assert answer["Location"] == address(acme)
    assert said(answer) == ["Nothing was switched: Acme is in mode extend by now. Look again."]
    acme.integration.refresh_from_db()
    assert acme.integration.mode == "extend"


def test_what_is_not_enabled_is_switched_and_not_previewed(acme: World, operator: Client) -> None:
    acme.integration.disable()
    assert "It is not enabled, so nothing can be previewed" in shown(acme, operator)
    answer = operator.post(address(acme, of="mode_preview"))
    assert said(answer)[0].startswith("No preview was queued: Acme is not enabled.")
    operator.post(address(acme), {"from": "observe"})
    acme.integration.refresh_from_db()
    assert (acme.integration.mode, acme.integration.next_sync_at) == ("manage", None)


def test_there_is_no_other_mode(acme: World, operator: Client) -> None:
    assert operator.get(address(acme, "destroy")).status_code == 404
    assert operator.post(address(acme, "destroy", of="mode_preview")).status_code == 404
