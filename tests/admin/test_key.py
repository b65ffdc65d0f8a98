"""The key's own section on an integration's page, and the button that rotates it."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from cakewalk.ledger.models import Entry
from cakewalk.ledger.verbs import Verb
from integrations.connectors.openai.simulator import Fault, Kind, Simulator
from integrations.models import Credential, Rotation
from provisioning.models import ProvisioningJob
from tests.admin.browser import said
from tests.admin.builders import Company
from tests.admin.roles import AUDITOR, OPERATOR
from tests.ledger.told import told


def page(company: Company, client: Client) -> str:
    """What its section says, on one line."""
    address = reverse("admin:integrations_integration_change", args=[company.acme.pk])
    html = unescape(client.get(address).content.decode())
    section = html[html.index('aria-labelledby="the-key"') :]
    return " ".join(section[: section.index("</section>")].split())


def know(**known: object) -> None:
    Credential.objects.update(facts_at=timezone.now(), **known)


def test_owner_age_last_use_and_expiry_are_shown(company: Company, clients: dict[str, Client]) -> None:
    now = timezone.now()
    know(
        owner_id="user-1",
        owner_name="Ada Byron",
        made_at=now - timedelta(days=8),
        last_used_at=now - timedelta(minutes=3),
        expires_at=now + timedelta(days=300),
    )
    shown = page(company, clients[AUDITOR])
    assert "<dd>Ada Byron, user-1@example.org</dd>" in shown
    for sentence in ("1 week, 1 day ago", "3 minutes ago", "As OpenAI told it just now."):
        assert sentence in shown.replace("\xa0", " ")
    assert f"{now + timedelta(days=300):%Y}" in shown
    assert "Rotate key" not in shown, "an auditor changes nothing"
    assert "Rotate key" in page(company, clients[OPERATOR])


def test_what_is_not_known_is_called_unknown(company: Company, clients: dict[str, Client]) -> None:
    shown = page(company, clients[AUDITOR])
    assert shown.count("Unknown") == 4
    assert "OpenAI was not asked about this key yet." in shown
    assert "Not tried yet" in shown
    assert "it shows with the first change." in shown


@pytest.mark.parametrize(
    ("known", "says"),
    [
        ({"lacks": [{"name": "Groups", "detail": "Without it no access rule can give a group."}]}, "Groups"),
        ({"write_refused": "You lack the scope <b>x</b>."}, "You lack the scope <b>x</b>."),
        ({"made_at": timezone.now() - timedelta(days=100)}, "The key is 100 days old. Rotate it."),
        ({"owner_name": "<script>", "owner_id": "user-9"}, "<dd><script></dd>"),
    ],
)
def test_what_the_key_lacks_and_what_to_do_about_it_is_shown(
    company: Company, clients: dict[str, Client], known: dict[str, object], says: str
) -> None:
    know(**known)
    assert says in page(company, clients[AUDITOR])


def test_what_openai_says_is_text_and_nothing_else(company: Company, clients: dict[str, Client]) -> None:
    know(owner_name="<script>", owner_id="user-9", unknown="<i>", write_refused="<b>")
    address = reverse("admin:integrations_integration_change", args=[company.acme.pk])
    html = clients[AUDITOR].get(address).content.decode()
    assert {"<dd><script>", "<i>", "<b>"} & {
        text for text in ("<dd><script>", "<i>", "<b>") if text in html
    } == set()


def test_the_button_rotates_and_the_history_says_who(company: Company, clients: dict[str, Client]) -> None:
    ProvisioningJob.objects.filter(integration=company.acme, state__in=ProvisioningJob.LIVE).delete()
    answer = clients[OPERATOR].post(reverse("admin:integrations_integration_rotate", args=[company.acme.pk]))
    kept = Rotation.objects.get()
    sentence = f"Acme works with the key {kept.new_hint}; {kept.old_hint} is revoked."
    assert (said(answer), kept.by.username) == ([sentence], OPERATOR)
    rotated = Entry.objects.filter(verb=Verb.CREDENTIAL_ROTATED)
    steps = [entry.told()["after"]["state"] for entry in rotated.order_by("seq")]
    assert steps == ["begun", "making", "made", "swapped", "done"]
    assert {who for who, verb in told() if verb == Verb.CREDENTIAL_ROTATED} == {OPERATOR}
    assert f"{kept.old_hint} → {kept.new_hint}" in page(company, clients[AUDITOR])


def test_a_rotation_that_stopped_half_way_is_told_on_the_page(
    company: Company, clients: dict[str, Client], simulator: Simulator
) -> None:
    simulator.inject(Fault(Kind.FORBIDDEN, method="DELETE", path="/organization/admin_api_keys/*"))
    rotate = reverse("admin:integrations_integration_rotate", args=[company.acme.pk])
    [sentence] = said(clients[OPERATOR].post(rotate))
    assert sentence.startswith("The rotation stopped half-way. The new key is in use; the old one is not")
    home = clients[AUDITOR].get(reverse("admin:index")).content.decode()
    assert "The rotation of its key stopped half-way." in home
    assert said(clients[OPERATOR].post(rotate))[-1].endswith("is revoked.")
