"""Connecting a remote: only what works is enabled, and every refusal is one plain sentence at its field."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError

from integrations import connecting
from integrations.connecting import Entry, save_and_enable, save_only
from integrations.connectors.base import Check
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.models import Credential, Integration
from tests.environment import new_fernet_key
from tests.integrations.entering import NOW, WRONG_KEY, closed_port, enter, stored
from tests.openai.remote import Answer, Remote

pytestmark = pytest.mark.django_db

NEEDED = ("Members", "Invites", "Projects")
LADDER = {
    "Admin keys": (
        "/organization/admin_api_keys",
        "whose key this is, its age and its expiry are unknown, nothing is taken from any owner, and the key "
        "cannot be rotated",
    ),
    "Groups": ("/organization/groups", "no access rule can give a group"),
    "Roles": ("/organization/roles", "no access rule can give a custom role"),
    "Audit log": ("/organization/audit_logs", "who changed something in OpenAI's console cannot be told"),
    "Project keys": (
        "/organization/projects/*/api_keys",
        "the API keys of somebody who left cannot be looked for",
    ),
    "Project members": (
        "/organization/projects/*/users",
        "a job fails as soon as a rule names a project",
    ),
    "Project roles": ("/projects/*/roles", "no access rule can give a custom role in a project"),
    "Project groups": ("/organization/projects/*/groups", "no group rule is carried out"),
    "Service accounts": (
        "/organization/projects/*/service_accounts",
        "service accounts are not listed, and none without a person is told of",
    ),
}
"""What is asked for because one feature needs it: where, and what is off without."""

ADMIN_KEY_ADVICE = (
    "an Admin key (sk-admin-…), which an organization owner makes at "
    "https://platform.openai.com/settings/organization/admin-keys."
)


def refused(entry: Entry) -> dict[str, str]:
    """What is wrong, where nothing may be stored of it."""
    before = stored()
    outcome = save_and_enable(entry, now=NOW)
    assert (outcome.works, outcome.integration) == (False, None)
    assert stored() == before
    return dict(outcome.problems)


# -- what works


def test_a_key_that_works_is_stored_and_enabled(organization, simulator, entry):
    outcome = save_and_enable(entry, now=NOW)
    acme = Integration.objects.get()
    assert (outcome.works, outcome.integration) == (True, acme)
    assert stored() == [("Acme", simulator.base_url, organization.admin_key, True)]
    assert (acme.mode, acme.simulated, acme.next_sync_at) == ("observe", True, NOW + timedelta(minutes=30))
    assert [check.name for check in outcome.report.checks] == [*NEEDED, *LADDER]
    assert {check.answer for check in outcome.report.checks if check.name in NEEDED} == {Check.ALLOWED}


def test_what_the_test_learned_of_the_key_is_kept_with_it(organization, entry):
    save_and_enable(entry, now=NOW)
    kept = Credential.objects.get()
    assert kept.hint == f"sk-admin-…{organization.admin_key[-4:]}"
    assert (kept.entered_at, kept.checked_at) == (NOW, NOW)
    assert kept.owner_id == organization.find_user("olivia.owner@example.org").id
    assert (kept.owner_kind, kept.facts_at, kept.unknown) == ("user", NOW, "")
    key = organization.admin_keys[kept.remote_id]
    assert (kept.made_at.timestamp(), key.value) == (key.created_at, organization.admin_key)


def test_a_mode_is_taken_where_one_is_entered(simulator):
    save_and_enable(enter(simulator, mode="manage"), now=NOW)
    assert Integration.objects.get().mode == "manage"


def test_a_connection_test_stores_nothing(entry):
    outcome = connecting.test_connection(entry)
    assert outcome.works
    assert outcome.report.works
    assert stored() == []


def test_saving_alone_calls_nobody_and_enables_nothing(organization, simulator, entry):
    outcome = save_only(entry, now=NOW)
    assert (outcome.works, outcome.report, simulator.requests) == (True, None, [])
    assert stored() == [("Acme", simulator.base_url, organization.admin_key, False)]
    assert Integration.objects.get().next_sync_at is None
    assert Credential.objects.get().checked_at is None


# -- what a key may not do turns off what needs it, and nothing else


@pytest.mark.parametrize("title", LADDER)
def test_what_only_a_feature_needs_may_be_refused_and_is_told_with_the_feature(simulator, entry, title):
    path, consequence = LADDER[title]
    simulator.inject(Fault(Kind.FORBIDDEN, path=path, every=True))
    outcome = save_and_enable(entry, now=NOW)
    assert outcome.works
    [line] = [check for check in outcome.report.checks if check.name == title]
    assert (line.answer, line.detail) == (
        Check.REFUSED,
        f"Without it {consequence}. OpenAI does not permit this to the API key: You have insufficient "
        "permissions for this operation.",
    )
    assert {"name": title, "detail": line.detail} in Credential.objects.get().lacks


def test_a_restricted_key_works_and_says_what_it_lacks(organization, simulator):
    needed = [f"api.organization.{family}.read" for family in ("users", "invites", "projects")]
    olivia = organization.find_user("olivia.owner@example.org")
    restricted = organization.create_admin_key("Restricted", olivia.id, scopes=needed)
    outcome = save_and_enable(enter(simulator, secret=restricted.value), now=NOW)
    assert outcome.works
    lacks = {lack["name"]: lack["detail"] for lack in Credential.objects.get().lacks}
    assert set(lacks) == set(LADDER)
    assert lacks["Groups"] == (
        "Without it no access rule can give a group. OpenAI does not permit this to the API key: You have "
        "insufficient permissions for this operation. Missing scopes: api.organization.groups.read."
    )


def test_a_key_that_may_not_see_the_admin_keys_says_why_its_owner_is_unknown(simulator, entry):
    simulator.inject(Fault(Kind.FORBIDDEN, path="/organization/admin_api_keys", every=True))
    save_and_enable(entry, now=NOW)
    kept = Credential.objects.get()
    assert (kept.owner_id, kept.made_at) == ("", None)
    assert kept.unknown.startswith("OpenAI does not permit this to the API key")


def test_a_feature_whose_list_does_not_answer_is_neither_allowed_nor_refused(simulator, entry):
    """The lists after it are not asked for: somebody waits at the form."""
    simulator.inject(Fault(Kind.SERVER_ERROR, path="/organization/groups", every=True))
    outcome = save_and_enable(entry, now=NOW)
    assert outcome.works
    assert [(check.name, check.answer) for check in outcome.report.checks][-1] == ("Groups", "unreachable")
    assert Credential.objects.get().lacks == []


def test_what_was_known_of_a_key_is_kept_while_openai_does_not_tell(simulator, acme, entry):
    save_and_enable(replace(entry, integration=acme), now=NOW)
    owner = Credential.objects.get().owner_id
    simulator.inject(Fault(Kind.FORBIDDEN, path="/organization/admin_api_keys", every=True))
    save_and_enable(enter(simulator, integration=acme, secret=None), now=NOW)
    kept = Credential.objects.get()
    assert owner
    assert (kept.owner_id, bool(kept.unknown)) == (owner, True)


def test_nothing_that_was_known_of_a_key_is_believed_of_another(simulator, acme, entry, organization):
    save_and_enable(replace(entry, integration=acme), now=NOW)
    ada = organization.add_member("ada@example.org", role="owner")
    hers = organization.create_admin_key("Hers", ada.id).value
    save_only(enter(simulator, integration=acme, secret=hers), now=NOW)
    kept = Credential.objects.get()
    assert (kept.owner_id, kept.owner_name, kept.made_at, kept.facts_at) == ("", "", None, None)


# -- refused before any call


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        pytest.param({"name": ""}, {"name": "Give the integration a name."}, id="no name"),
        pytest.param(
            {"name": "x" * 101},
            {"name": "Ensure this value has at most 100 characters (it has 101)."},
            id="a long name",
        ),
        pytest.param({"secret": None}, {"secret": "Paste the API key."}, id="no key"),
        pytest.param({"secret": ""}, {"secret": "Paste the API key."}, id="an empty key"),
        pytest.param({"secret": " "}, {"secret": "Enter the API key."}, id="a blank key"),
        pytest.param(
            {"secret": "sk-proj-" + "x" * 40},
            {"secret": f"This is a project key, and it cannot manage members. That needs {ADMIN_KEY_ADVICE}"},
            id="a project key",
        ),
        pytest.param(
            {"secret": "hunter2"},
            {"secret": f"This does not look like an OpenAI key. Enter {ADMIN_KEY_ADVICE}"},
            id="no key of OpenAI's",
        ),
        pytest.param(
            {"base_url": "https://openai.example.org/v1"},
            {
                "base_url": "openai.example.org is not an OpenAI host, so the key is not sent there. Use "
                "https://api.openai.com/v1, or name the host in the setting CONNECTOR_ALLOWED_HOSTS."
            },
            id="another host",
        ),
        pytest.param(
            {"base_url": "http://api.openai.com/v1"},
            {"base_url": "The address must begin with https://, so that nobody on the way can read the key."},
            id="in the clear",
        ),
        pytest.param(
            {"mode": "destroy"}, {"mode": "Value 'destroy' is not a valid choice."}, id="no mode of ours"
        ),
    ],
)
def test_what_is_wrong_at_sight_is_refused_without_a_call(simulator, changes, problems):
    assert refused(enter(simulator, **changes)) == problems
    assert simulator.requests == []


def test_all_that_is_wrong_is_said_at_once(simulator):
    assert set(refused(enter(simulator, name="", secret=None, base_url=""))) == {
        "name",
        "secret",
        "base_url",
    }


@pytest.mark.parametrize("name", ["Acme", "acme", "ACME"])
def test_a_taken_name_is_refused_whatever_its_case(acme, simulator, name):
    assert refused(enter(simulator, name=name)) == {"name": f"There is already an integration named {name}."}
    assert simulator.requests == []


def test_the_same_key_and_address_may_be_connected_under_a_second_name(acme, simulator):
    assert save_and_enable(enter(simulator, name="Acme again"), now=NOW).works


def test_a_name_taken_while_the_key_was_tried_is_refused_as_well(simulator, entry, monkeypatch):
    tried = OpenAIConnector.checks

    def overtaken(self):
        Integration.objects.create(kind="openai", name="ACME", base_url=simulator.base_url)
        return tried(self)

    monkeypatch.setattr(OpenAIConnector, "checks", overtaken)
    outcome = save_and_enable(entry, now=NOW)
    assert outcome.problems == {"name": "There is already an integration named Acme."}
    assert [name for name, *_ in stored()] == ["ACME"]
    assert not Credential.objects.exists()


# -- refused by the live API


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        pytest.param(
            Fault(Kind.UNAUTHORIZED, every=True),
            {
                "secret": "The key is mistyped, revoked or expired. OpenAI does not accept the API key: "
                "Incorrect API key provided."
            },
            id="revoked",
        ),
        pytest.param(
            Fault(Kind.FORBIDDEN, every=True),
            {
                "secret": "The key works, but it may not read the users, invites and projects. An "
                "organization owner must make an Admin key with all permissions at "
                "https://platform.openai.com/settings/organization/admin-keys. OpenAI does not permit this "
                "to the API key: You have insufficient permissions for this operation."
            },
            id="no rights",
        ),
        pytest.param(
            Fault(Kind.FORBIDDEN, path="/organization/invites", every=True),
            {
                "secret": "The key works, but it may not read the invites. An organization owner must make "
                "an Admin key with all permissions at "
                "https://platform.openai.com/settings/organization/admin-keys. OpenAI does not permit this "
                "to the API key: You have insufficient permissions for this operation."
            },
            id="not all rights",
        ),
        pytest.param(
            Fault(Kind.RATE_LIMITED, every=True),
            {"base_url": "{host} asked to slow down. Wait a minute and try again."},
            id="too often",
        ),
        pytest.param(
            Fault(Kind.SERVER_ERROR, every=True, status=503),
            {"base_url": "{host} answered with an error of its own (status 503). Try again in some minutes."},
            id="ill",
        ),
        pytest.param(
            Fault(Kind.REDIRECT, every=True),
            {
                "base_url": "This address does not answer like the OpenAI API, which is at "
                "https://api.openai.com/v1. {host} answered with a redirect (status 307), which is not "
                "followed."
            },
            id="a redirect",
        ),
        pytest.param(
            Fault(Kind.HTML, every=True),
            {
                "base_url": "This address does not answer like the OpenAI API, which is at "
                "https://api.openai.com/v1. The list of users is not JSON."
            },
            id="a web page",
        ),
        pytest.param(
            Fault(Kind.RESET_AFTER, every=True),
            {
                "base_url": "{host} broke off the connection before its answer was complete. Check the "
                "network and the API address."
            },
            id="a broken line",
        ),
    ],
)
def test_what_the_live_api_says_is_said_beside_the_field_that_mends_it(simulator, entry, fault, problem):
    simulator.inject(fault)
    host = simulator.base_url.removeprefix("http://").removesuffix("/v1")
    assert refused(entry) == {field: sentence.format(host=host) for field, sentence in problem.items()}


def test_a_mistyped_key_is_named_as_one(simulator):
    sentence = refused(enter(simulator, secret=WRONG_KEY))["secret"]
    assert sentence.startswith(
        "The key is mistyped, revoked or expired. OpenAI does not accept the API key: Incorrect API key"
    )
    assert WRONG_KEY not in sentence


def test_an_address_where_nobody_listens_is_named(simulator):
    port = closed_port()
    assert refused(enter(simulator, base_url=f"http://127.0.0.1:{port}/v1")) == {
        "base_url": f"No connection to 127.0.0.1:{port} could be made. Check the network and the API address."
    }


def test_a_wrong_path_is_no_openai(simulator):
    host = simulator.base_url.removeprefix("http://").removesuffix("/v1")
    assert refused(enter(simulator, base_url=f"http://{host}/v2")) == {
        "base_url": "This address does not answer like the OpenAI API, which is at "
        f"https://api.openai.com/v1. {host} does not answer like the OpenAI API (status 404)."
    }


def test_a_key_that_may_only_read_is_believed_in_its_reading(organization, simulator):
    """OpenAI tells a key's rights nowhere; only a write would show that it may not."""
    assert save_and_enable(enter(simulator, secret=organization.read_only_key), now=NOW).works


# -- an integration that is there already


def test_a_new_key_replaces_the_old_one_and_leaves_the_settings(acme, organization, simulator):
    Integration.objects.update(mode="extend", removal_limit_count=7)
    acme.refresh_from_db()
    newer = organization.create_admin_key("Newer", organization.find_user("olivia.owner@example.org").id)
    assert save_and_enable(enter(simulator, integration=acme, secret=newer.value), now=NOW).works
    assert stored() == [("Acme", simulator.base_url, newer.value, True)]
    assert Integration.objects.values_list("mode", "removal_limit_count").get() == ("extend", 7)


def test_what_was_changed_while_the_key_was_tried_stays_changed(acme, entry, monkeypatch):
    """Somebody puts the brakes on while the form waits for OpenAI."""
    tried = OpenAIConnector.checks

    def meanwhile(self):
        Integration.objects.update(mode="observe", first_removals="hold")
        return tried(self)

    Integration.objects.update(mode="manage", first_removals="allow")
    acme.refresh_from_db()
    monkeypatch.setattr(OpenAIConnector, "checks", meanwhile)
    assert save_and_enable(replace(entry, integration=acme), now=NOW).works
    assert Integration.objects.values_list("mode", "first_removals").get() == ("observe", "hold")


def test_without_a_new_key_the_stored_one_is_tried(acme, organization, simulator):
    assert save_and_enable(enter(simulator, integration=acme, secret=None, name="Acme Inc"), now=NOW).works
    assert stored() == [("Acme Inc", simulator.base_url, organization.admin_key, True)]


def test_a_refused_key_leaves_the_one_that_works(acme, organization, simulator):
    refused(enter(simulator, integration=acme, secret=WRONG_KEY))
    assert stored() == [("Acme", simulator.base_url, organization.admin_key, True)]


def test_a_stored_key_is_never_sent_to_another_address(acme):
    with Remote(Answer()) as elsewhere:
        entry = Entry("openai", "Acme", elsewhere.base_url, None, integration=acme)
        assert refused(entry) == {
            "secret": "The API address has changed, so paste the API key again: a stored one is never sent "
            "elsewhere."
        }
        assert save_only(entry, now=NOW).problems == refused(entry)
    assert elsewhere.asked == []


def test_an_integration_without_a_key_needs_one(acme, simulator):
    Credential.objects.all().delete()
    assert refused(enter(simulator, integration=acme, secret=None)) == {"secret": "Paste the API key."}


def test_a_key_that_can_no_longer_be_decrypted_must_be_entered_again(acme, simulator, settings):
    settings.FERNET_KEYS = [new_fernet_key()]
    outcome = save_and_enable(enter(simulator, integration=acme, secret=None), now=NOW)
    assert outcome.problems == {
        "secret": "Credential.secret cannot be decrypted: no key in FERNET_KEYS wrote it. Restore that key, "
        "or enter the secret again."
    }
    assert save_and_enable(enter(simulator, integration=acme), now=NOW).works


def test_saving_an_untried_key_disables_what_was_enabled(acme, simulator):
    assert save_only(enter(simulator, integration=acme, secret=WRONG_KEY), now=NOW).works
    assert stored() == [("Acme", simulator.base_url, WRONG_KEY, False)]
    assert Integration.objects.get().next_sync_at is None


def test_saving_another_name_alone_disables_nothing(acme, organization, simulator):
    assert save_only(enter(simulator, integration=acme, secret=None, name="Acme Inc"), now=NOW).works
    assert stored() == [("Acme Inc", simulator.base_url, organization.admin_key, True)]


def test_a_failure_half_way_stores_nothing(entry, monkeypatch):
    def fail(self, secret, **_):
        raise IntegrityError("disk full")

    monkeypatch.setattr(Integration, "store_credential", fail)
    save_and_enable(entry, now=NOW)
    assert stored() == []


# -- the key stays where it is


def test_an_entry_does_not_show_its_key(entry):
    assert entry.secret not in f"{entry} {entry!r}"


@pytest.mark.parametrize(
    "kind", [Kind.UNAUTHORIZED, Kind.FORBIDDEN, Kind.REDIRECT, Kind.HTML, Kind.SERVER_ERROR]
)
def test_no_report_holds_the_key(simulator, entry, kind):
    simulator.inject(Fault(kind, every=True))
    outcome = save_and_enable(entry, now=NOW)
    assert entry.secret not in repr(outcome)
    assert outcome.report.checks


def test_a_key_that_the_remote_repeats_is_not_shown(entry):
    said = {"error": {"message": f"Incorrect API key provided: {entry.secret}. Bye.", "type": "t"}}
    with Remote(Answer(401, said)) as remote:
        outcome = save_and_enable(replace(entry, base_url=remote.base_url), now=NOW)
    assert outcome.problems["secret"].endswith("Incorrect API key provided: sk-…. Bye.")
    assert entry.secret not in repr(outcome)
