"""Jobs of two integrations, approvals and changes of the directory write into one chain at once."""

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest
from django.db import connection, transaction
from django.utils import timezone

from cakewalk.ledger import chain
from cakewalk.ledger.models import Entry
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.models import Integration
from provisioning import reconciliation, recovering, requesting, vouching
from provisioning.models import AccessRule, ProvisioningJob
from tests.provisioning.world import BOSS, World, held_job, staffed

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

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> bool:
        """For each so long at most. Whether all came to an end."""
        for thread in self._threads:
            thread.join(seconds)
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

    def decide(times: int) -> None:
        alice = User.objects.get(username="alice")
        for job in list(ProvisioningJob.objects.filter(state="awaiting_approval").order_by("pk")) * times:
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
                lambda: decide(1),
                change,
                lambda: decide(5),
            ):
                at_once.do(deed)
            at_once.start()
            assert (at_once.wait(120), at_once.wrong) == (True, [])
    failed = ProvisioningJob.objects.filter(state__in=("failed", "inconclusive", "running"))
    assert list(failed.values_list("state", "error")) == []
    [*breaks, _end] = chain.breaks(entry.as_row() for entry in Entry.objects.order_by("seq"))
    assert (breaks, [one for one in vouching.altered() if not isinstance(one, int)]) == ([], [])
    assert Entry.objects.filter(verb="job.overridden").exists()


@pytest.mark.parametrize("deed", ["end", "approve", "sync"])
def test_whoever_waits_for_an_integration_does_not_hold_the_chain_meanwhile(world: World, deed: str) -> None:
    """Whoever has locked it may have something to write down, too, and would wait for the other for ever."""
    held = held_job(world)
    alice, running = world.approver("alice"), requesting.request_job(world.integration, deliver=False)
    if deed == "end":
        running.claim(holder=recovering.worker_name(), now=timezone.now())
    else:
        requesting.cancel(running, by=None, reason="Not now.")
    deeds: dict[str, Callable[[], object]] = {
        "end": lambda: reconciliation._end(running, "succeeded"),
        "approve": lambda: requesting.approve(held, by=alice, reason="He left.", deliver=False),
        "sync": world.sync,
    }
    meanwhile = Together()
    meanwhile.do(deeds[deed])
    with together():
        Integration.objects.lock(world.integration.pk)
        meanwhile.start()
        meanwhile.wait(2)
        record(Verb.CHANGED, world.integration)
    assert (meanwhile.wait(60), meanwhile.wrong) == (True, [])
