"""Jobs of two integrations, approvals and changes of the directory write into one chain at once."""

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import connection, transaction
from django.utils import timezone

from cakewalk.ledger import chain
from cakewalk.ledger.models import Entry
from cakewalk.models import User
from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.models import Integration
from provisioning import reconciliation, requesting, vouching
from provisioning.models import AccessRule, ProvisioningJob
from tests.provisioning.world import BOSS, World, staffed

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer, who waits for nobody"),
]

PEOPLE, ROUNDS = 24, 3


class Together:
    """Deeds in threads of their own. What goes wrong in one of them is kept."""

    def __init__(self) -> None:
        self.wrong: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def do(self, deed: Callable[[], object]) -> None:
        def done() -> None:
            try:
                deed()
            except BaseException as error:
                self.wrong.append(error)
            finally:
                connection.close()

        self._threads.append(threading.Thread(target=done, daemon=True))

    def join(self) -> bool:
        """Whether all came to an end."""
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join(120)
        return not any(thread.is_alive() for thread in self._threads)


def second_integration(simulator: Simulator, organization: Organization) -> Integration:
    beta = Integration.objects.create(
        kind="openai", name="Beta", base_url=simulator.base_url, mode=Integration.Mode.MANAGE
    )
    beta.store_credential(organization.admin_key, now=timezone.now())
    beta.enable(now=timezone.now())
    for rule in AccessRule.objects.select_related("group"):
        AccessRule.objects.create(
            integration=beta, name=rule.name, role=rule.role, group=rule.group, state="active"
        )
    return beta


def test_two_integrations_and_an_approval_at_once_wait_for_each_other_and_never_for_ever(
    world: World,
) -> None:
    world.configure(first_removals=Integration.FirstRemovals.HOLD)
    world.approver("alice")
    emails = staffed(world, PEOPLE)
    elsewhere = Organization(owner=BOSS)
    for email in emails:
        elsewhere.add_member(email)

    def sync(integration: Integration) -> None:
        with suppress(requesting.AlreadyRunning):
            reconciliation.run(requesting.request_job(integration, deliver=False).pk)

    def decide() -> None:
        alice = User.objects.get(username="alice")
        for job in ProvisioningJob.objects.filter(state="awaiting_approval").order_by("pk"):
            with suppress(requesting.Refused):
                requesting.approve(job, by=alice, reason="They left.", only=["removal_limit"], deliver=False)

    def change() -> None:
        with transaction.atomic():
            requesting.people_changed([world.person(email).pk for email in emails])
        for job in requesting.request_people_jobs(timezone.now()):
            reconciliation.run(job.pk)

    with Simulator(elsewhere) as simulator:
        beta = second_integration(simulator, elsewhere)
        for turn in range(ROUNDS):
            world.dismiss(*emails[turn * 6 : turn * 6 + 6])
            world.hire_all([f"n{turn}-{place}@example.org" for place in range(6)], "staff")
            at_once = Together()
            for deed in (
                lambda: sync(world.integration),
                lambda: sync(beta),
                decide,
                change,
                lambda: [decide() for _ in range(5)],
            ):
                at_once.do(deed)
            assert (at_once.join(), at_once.wrong) == (True, [])
    failed = ProvisioningJob.objects.filter(state__in=("failed", "inconclusive", "running"))
    assert list(failed.values_list("state", "error")) == []
    [*breaks, _end] = chain.breaks(entry.as_row() for entry in Entry.objects.order_by("seq"))
    assert (breaks, [one for one in vouching.altered() if not isinstance(one, int)]) == ([], [])
    assert Entry.objects.filter(verb="job.overridden").exists()
