"""Whoever uses a stored secret is in the ledger, with what for; and there is no other way to its text."""

import ast
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.encryption import Secret
from cakewalk.ledger.models import Entry
from cakewalk.models import User
from integrations.connectors.openai.simulator import Fault, Kind
from provisioning import pulling, reconciliation, requesting, rotating
from provisioning.alarms import sending
from provisioning.alarms.models import Channel
from provisioning.models import ProvisioningJob
from tests.admin.builders import channel, ldap_server
from tests.alarms.receiver import receiving
from tests.ledger.told import last_seq
from tests.provisioning.world import World

CODE = Path(__file__).resolve().parents[2]
HOLD_SECRETS = {
    "cakewalk/encryption.py",
    "cakewalk/opening.py",
    "cakewalk/signing_in/models.py",  # of a second factor; that somebody signed in by it is an entry itself
}


@pytest.fixture
def staff(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("sam", "sam@example.org", "x" * 16))
    return client


def uses(since: int = 0) -> list[tuple[str, str, str]]:
    """Who, of what, what for."""
    entries = Entry.objects.filter(verb="credential.read", seq__gt=since).order_by("seq")
    return [
        (f"{entry.actor_kind} {entry.actor}", entry.object_name, entry.told()["facts"]["use"])
        for entry in entries
    ]


def test_the_text_of_a_secret_is_asked_for_in_one_place_only():
    asking = {
        str(file.relative_to(CODE))
        for folder in ("cakewalk", "directory", "integrations", "provisioning")
        for file in (CODE / folder).rglob("*.py")
        if any(
            isinstance(node, ast.Attribute) and node.attr == "reveal"
            for node in ast.walk(ast.parse(file.read_text()))
        )
    }
    assert asking == HOLD_SECRETS


def test_a_job_uses_the_key_once_in_the_name_of_whoever_asked(world: World, staff: Client):
    job = requesting.request_job(world.integration, by=User.objects.get(), deliver=False)
    reconciliation.run(job.pk)
    assert uses() == [("person sam", "Acme", f"Job {job.pk}")]


def test_a_key_that_is_refused_is_looked_at_again_and_both_are_told(world: World):
    world.simulator.inject(Fault(Kind.UNAUTHORIZED, every=True))
    with pytest.raises(SystemExit):
        call_command("sync", "Acme")
    job = ProvisioningJob.objects.get()
    assert [use for _, _, use in uses()] == [f"Job {job.pk}", f"Job {job.pk}, a second look at its key"]


def test_a_test_of_the_stored_key_is_told_with_who_and_from_where(world: World, staff: Client):
    staff.post(
        reverse("integrations:credential", args=[world.integration.pk]),
        {"name": "Acme", "base_url": world.simulator.base_url, "secret": "", "_test": "1"},
        REMOTE_ADDR="192.0.2.7",
    )
    assert uses() == [("person sam", "Acme", "Test of the connection")]
    assert Entry.objects.get(verb="credential.read").address == "192.0.2.7"


def test_entering_a_key_opens_none(world: World, staff: Client):
    since = last_seq()
    typed = {"name": "Acme", "base_url": world.simulator.base_url, "secret": world.organization.admin_key}
    staff.post(reverse("integrations:credential", args=[world.integration.pk]), typed | {"_enable": "1"})
    assert Entry.objects.filter(seq__gt=since, verb="credential.entered").exists()
    assert uses(since) == []


def test_a_rotation_tells_each_step_for_which_it_takes_a_key(world: World):
    rotation = rotating.rotate(world.integration, by=None)
    name = f"Rotation of the key, {rotation.key_name}"
    assert [use for _, _, use in uses()] == [name, f"{name}, the new key", name]


def test_a_webhook_is_signed_and_sent_with_one_entry_for_each_attempt(db: None):
    with receiving() as receiver:
        ops = channel("Ops", to=receiver.url)
        sent = sending.send_test(ops, now=timezone.now())
    assert sent.state == "sent"
    assert uses() == [("schedule Cakewalk", "Ops", f"Delivery of the message {sent.message_id}")]


def test_a_pull_tells_of_the_password_even_where_nobody_answers(db: None):
    server = ldap_server("corp", url="ldap://127.0.0.1:9", start_tls=False, bind_dn="cn=reader")
    assert pulling.pull(server).outcome == "inconclusive"
    assert uses() == [("schedule Cakewalk", server.url, "Pull of corp")]


def test_what_cannot_be_written_down_is_not_opened(world: World, monkeypatch: pytest.MonkeyPatch):
    opened: list[Secret] = []

    def reveal(secret: Secret) -> str:
        opened.append(secret)
        return "text"

    monkeypatch.setattr(Secret, "reveal", reveal)
    monkeypatch.setattr("cakewalk.opening.record", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        world.integration.connector(use="a job")
    assert opened == []


def test_looking_at_all_there_is_opens_nothing(world: World, staff: Client):
    channel("Ops")
    ldap_server("corp")
    pages = (
        reverse("admin:index"),
        reverse("integrations:credential", args=[world.integration.pk]),
        reverse("admin:integrations_integration_change", args=[world.integration.pk]),
        reverse("admin:alarms_channel_change", args=[Channel.objects.get().pk]),
    )
    assert {staff.get(page).status_code for page in pages} == {200}
    assert uses() == []
