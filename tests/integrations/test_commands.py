"""`connect` and `configure` as operators and their scripts use them."""

import io
import json
import sys
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from integrations.configuring import SETTINGS
from integrations.connectors.openai.simulator import Fault, Kind
from integrations.management.commands.connect import Command
from integrations.models import Credential, Integration
from provisioning.models import ProvisioningJob
from tests.integrations.entering import WRONG_KEY, closed_port, stored

pytestmark = pytest.mark.django_db
PROJECT_KEY = "sk-proj-" + "p" * 40
DEFAULTS = {
    "mode": "observe",
    "sync_every_minutes": 30,
    "removal_limit_count": 3,
    "removal_limit_percent": 10,
    "over_limit": "hold_takings",
    "first_removals": "hold",
    "orphans": "report",
    "managed_domains": "",
    "minimum_owners": 1,
    "vanished_percent": 20,
    "plan_valid_hours": 72,
    "removal_target_hours": 24,
    "silence_minutes": 0,
    "leaver_keys": "report",
    "renew_invites": True,
    "four_eyes": "unless_alone",
    "separate_key_entry": False,
}


def run(*words: str) -> tuple[str, str, int]:
    """Standard output, standard error and the exit status."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    try:
        call_command(*words, stdout=out, stderr=err)
    except CommandError as error:
        err.write(f"{error}\n")
        status = error.returncode
    return out.getvalue(), err.getvalue(), status


def usage_of(*words: str) -> str:
    """The message of a command that was used wrongly and says nothing on standard output."""
    before = stored()
    out, err, status = run(*words)
    assert (out, status, stored()) == ("", 2, before)
    return err


def next_sync() -> datetime:
    moment = Integration.objects.get().next_sync_at
    assert moment is not None
    return moment


@pytest.fixture
def connect(monkeypatch, simulator):
    """`connect openai` with the simulator's address, and the key in a variable of the environment."""

    def connect(key: str = "", *options: str, name: str = "Acme") -> tuple[Any, str, int]:
        secret = key or simulator.organization.admin_key
        monkeypatch.setenv("ACME_KEY", secret)
        words = ("--name", name, "--key-env", "ACME_KEY", "--base-url", simulator.base_url, *options)
        out, err, status = run("connect", "openai", *words)
        assert secret not in out + err
        return out, err, status

    return connect


@pytest.fixture
def typed(monkeypatch):
    """Standard input as it comes down a pipe."""

    def type_in(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return type_in


# -- connect: what works


def test_connect_tries_the_key_and_enables_what_works(connect, organization, simulator):
    out, err, status = connect()
    assert status == 0
    assert out == f"Acme is enabled (simulated, mode observe): the key works on {simulator.base_url}.\n"
    assert err.splitlines()[0] == "Members: allowed. The key may read the users."
    assert stored() == [("Acme", simulator.base_url, organization.admin_key, True)]


def test_the_document_alone_is_on_standard_output(connect, organization, simulator):
    out, _, status = connect("", "--mode", "manage", "--json")
    assert status == 0
    document = json.loads(out)
    checks = document.pop("checks")
    assert document == {
        "integration": "Acme",
        "kind": "openai",
        "enabled": True,
        "mode": "manage",
        "base_url": simulator.base_url,
        "credential": f"sk-admin-…{organization.admin_key[-4:]}",
        "simulated": True,
        "problems": {},
    }
    assert checks[:3] == [
        {"name": "Members", "answer": "allowed", "detail": "The key may read the users."},
        {"name": "Invites", "answer": "allowed", "detail": "The key may read the invites."},
        {"name": "Projects", "answer": "allowed", "detail": "The key may read the projects."},
    ]
    assert [set(check) for check in checks] == [{"name", "answer", "detail"}] * 12


def test_the_key_may_come_down_a_pipe_with_its_line_end(typed, organization, simulator):
    typed(organization.admin_key.encode() + b"\r\n")
    words = ("--name", "Acme", "--key-stdin", "--base-url", simulator.base_url)
    assert run("connect", "openai", *words)[2] == 0
    assert stored() == [("Acme", simulator.base_url, organization.admin_key, True)]


def test_at_a_terminal_the_key_is_typed_unseen(monkeypatch, organization, simulator):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    asked: list[str] = []

    def getpass(prompt):
        asked.append(prompt)
        return organization.admin_key

    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("integrations.management.commands.connect.getpass", getpass)
    words = ("--name", "Acme", "--key-stdin", "--base-url", simulator.base_url)
    assert (run("connect", "openai", *words)[2], asked) == (0, ["API key: "])


def test_without_an_address_the_official_one_is_meant(monkeypatch):
    monkeypatch.setenv("ACME_KEY", PROJECT_KEY)
    out, _, _ = run("connect", "openai", "--name", "Acme", "--key-env", "ACME_KEY", "--json")
    assert json.loads(out)["base_url"] == "https://api.openai.com/v1"


# -- connect: an integration of that name


def test_a_name_that_exists_gets_the_new_key_and_keeps_the_rest(acme, connect, organization, simulator):
    Integration.objects.update(mode="extend", orphans="remove")
    newer = organization.create_admin_key("Newer", organization.find_user("olivia.owner@example.org").id)
    out, _, status = connect(newer.value, "--json", name="ACME")
    assert (status, json.loads(out)["integration"], json.loads(out)["mode"]) == (0, "Acme", "extend")
    assert stored() == [("Acme", simulator.base_url, newer.value, True)]
    assert Integration.objects.get().orphans == "remove"


def test_a_name_that_exists_keeps_its_address_too(acme, monkeypatch, organization, simulator):
    monkeypatch.setenv("ACME_KEY", organization.admin_key)
    assert run("connect", "openai", "--name", "Acme", "--key-env", "ACME_KEY")[2] == 0
    assert Integration.objects.get().base_url == simulator.base_url


def test_connecting_again_changes_nothing(connect):
    assert [connect("", "--json")[2], connect("", "--json")[2]] == [0, 0]
    assert Integration.objects.count() == 1
    assert not ProvisioningJob.objects.exists()


def test_a_mode_raised_by_connecting_again_is_previewed_first(acme, connect):
    _, err, status = connect("", "--mode", "manage")
    preview = ProvisioningJob.objects.get()
    assert (status, preview.preview, preview.state) == (0, True, "queued")
    assert f"Job {preview.pk}, a preview, is queued: it shows what mode manage would do." in err
    assert next_sync() > timezone.now() + timedelta(minutes=29)


def test_a_name_of_another_kind_is_taken(connect, simulator):
    Integration.objects.create(kind="other", name="Acme", base_url=simulator.base_url)
    _, err, status = connect()
    assert (status, err) == (2, "There is already an integration named Acme. Nothing was stored.\n")


# -- connect: refused


def test_a_project_key_is_refused_before_any_call(connect, simulator):
    out, err, status = connect(PROJECT_KEY, "--json")
    document = json.loads(out)
    assert (status, simulator.requests, stored()) == (2, [], [])
    assert document["problems"]["secret"].startswith("This is a project key, and it cannot manage members.")
    assert {name: document[name] for name in ("enabled", "credential", "checks", "simulated")} == {
        "enabled": False,
        "credential": None,
        "checks": [],
        "simulated": False,
    }
    assert err == f"{document['problems']['secret']} Nothing was stored.\n"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--base-url", "https://openai.example.org/v1"), "openai.example.org is not an OpenAI host"),
        (("--base-url", "nonsense"), "The address must begin with https://"),
        (("--name", "  "), "Give the integration a name."),
        (("--name", "x" * 101), "Ensure this value has at most 100 characters"),
    ],
)
def test_what_is_wrong_at_sight_is_wrong_usage(connect, simulator, options, problem):
    _, err, status = connect("", *options)
    assert (status, simulator.requests, stored()) == (2, [], [])
    assert err.startswith(problem)


def test_a_mistyped_key_was_tried_and_does_not_work(connect):
    out, err, status = connect(WRONG_KEY, "--json")
    document = json.loads(out)
    assert (status, stored()) == (4, [])
    assert document["problems"]["secret"].startswith("The key is mistyped, revoked or expired.")
    assert [check["answer"] for check in document["checks"]] == ["refused"] * 3
    assert err.endswith("Nothing was stored.\n")


def test_a_key_revoked_since_leaves_what_was_stored(acme, connect, organization, simulator):
    simulator.inject(Fault(Kind.UNAUTHORIZED, every=True))
    out, _, status = connect("", "--json")
    document = json.loads(out)
    assert (status, document["enabled"], bool(document["problems"])) == (4, True, True)
    assert stored() == [("Acme", simulator.base_url, organization.admin_key, True)]


def test_an_address_where_nobody_listens_could_not_be_reached(connect):
    port = closed_port()
    out, _, status = connect("", "--base-url", f"http://127.0.0.1:{port}/v1", "--json")
    document = json.loads(out)
    assert (status, stored()) == (4, [])
    assert document["problems"]["base_url"].startswith(f"No connection to 127.0.0.1:{port} could be made.")
    assert [check["answer"] for check in document["checks"]] == ["unreachable"]


# -- connect: used wrongly


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nothing", "--name", "A", "--key-env", "HOME"), "invalid choice: 'nothing' (choose from 'openai')"),
        (("openai", "--key-env", "HOME"), "the following arguments are required: --name"),
        (("openai", "--name", "A"), "one of the arguments --key-env --key-stdin is required"),
        (("openai", "--name", "A", "--key-env", "HOME", "--key-stdin"), "not allowed with argument"),
        (("openai", "--name", "A", "--key-env", "HOME", "--mode", "destroy"), "invalid choice: 'destroy'"),
        (
            ("openai", "--name", "A", "--key-env", "NO_SUCH_VARIABLE"),
            "--key-env takes the name of an environment variable, and no variable NO_SUCH_VARIABLE is set.",
        ),
    ],
)
def test_wrong_usage_is_told(words, says):
    with pytest.raises(CommandError) as error:
        call_command("connect", *words)
    assert says in str(error.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"  \r\n"])
def test_an_empty_input_holds_no_key(typed, content):
    typed(content)
    said = usage_of("connect", "openai", "--name", "Acme", "--key-stdin")
    assert said == "The key is empty. Nothing was stored.\n"


def test_an_empty_variable_holds_no_key(monkeypatch):
    monkeypatch.setenv("ACME_KEY", "")
    said = usage_of("connect", "openai", "--name", "Acme", "--key-env", "ACME_KEY")
    assert said == "The key is empty. Nothing was stored.\n"


def test_a_closed_input_holds_no_key(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert "The key is empty." in usage_of("connect", "openai", "--name", "Acme", "--key-stdin")


@pytest.mark.parametrize("content", [b"\xff\xfe\x00rubbish", b"x" * 100_000, b"two\nlines"])
def test_rubbish_is_refused_like_any_wrong_key(typed, content):
    typed(content)
    _, err, status = run("connect", "openai", "--name", "Acme", "--key-stdin")
    assert (status, stored()) == (2, [])
    assert "rubbish" not in err
    assert len(err) < 300


@pytest.mark.parametrize("key", [WRONG_KEY, PROJECT_KEY])
def test_a_key_given_for_the_name_of_a_variable_is_not_repeated(key):
    said = usage_of("connect", "openai", "--name", "Acme", "--key-env", key)
    assert said == "--key-env takes the name of an environment variable, and what was given is not one.\n"


@pytest.mark.parametrize(
    "words",
    [(WRONG_KEY,), (f"--key={WRONG_KEY}",), ("--api-key", WRONG_KEY), (f"--mode={WRONG_KEY}",)],
)
def test_a_key_given_as_an_argument_is_not_repeated(capsys, words):
    argv = ["manage.py", "connect", "openai", "--name", "Acme", "--key-stdin", *words]
    with pytest.raises(SystemExit) as ended:
        Command().run_from_argv(argv)
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (2, "")
    assert "manage.py connect: error:" in told.err
    assert "wrongwrong" not in told.err


# -- configure


def configured(*words: str) -> dict[str, Any]:
    out, _, status = run("configure", "Acme", *words, "--json")
    assert status == 0
    document: dict[str, Any] = json.loads(out)
    return document


def test_without_set_all_settings_are_printed(acme):
    out, err, status = run("configure", "acme")
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "mode=observe",
        "sync_every_minutes=30",
        "removal_limit_count=3",
        "removal_limit_percent=10",
        "over_limit=hold_takings",
        "first_removals=hold",
        "orphans=report",
        "managed_domains=",
        "minimum_owners=1",
        "vanished_percent=20",
        "plan_valid_hours=72",
        "removal_target_hours=24",
        "silence_minutes=0",
        "leaver_keys=report",
        "renew_invites=true",
        "four_eyes=unless_alone",
        "separate_key_entry=false",
    ]


def test_what_is_printed_can_be_set_again(acme):
    Integration.objects.update(managed_domains="example.org\n example.com,", renew_invites=False)
    printed = run("configure", "Acme")[0].splitlines()
    Integration.objects.update(managed_domains="", renew_invites=True)
    assert run("configure", "Acme", *(word for line in printed for word in ("--set", line)))[2] == 0
    assert Integration.objects.get().domains() == {"example.org", "example.com"}
    assert not Integration.objects.get().renew_invites


def test_the_settings_as_a_document(acme):
    assert acme.next_sync_at is not None
    assert configured() == {
        "integration": "Acme",
        "settings": DEFAULTS,
        "changed": [],
        "preview": None,
        "schedule": {
            "next_sync_at": acme.next_sync_at.isoformat(),
            "failed_jobs": 0,
            "slowed": False,
            "paused_since": None,
        },
    }
    assert tuple(DEFAULTS) == SETTINGS


@pytest.mark.parametrize(
    ("setting", "text", "value"),
    [
        ("mode", "extend", "extend"),
        ("sync_every_minutes", "1", 1),
        ("sync_every_minutes", "10080", 10_080),
        ("removal_limit_count", "0", 0),
        ("removal_limit_percent", "100", 100),
        ("over_limit", "hold_all", "hold_all"),
        ("first_removals", "allow", "allow"),
        ("orphans", "remove", "remove"),
        ("managed_domains", "example.org, @Büro.example", "example.org, @Büro.example"),
        ("minimum_owners", " 2 ", 2),
        ("vanished_percent", "0", 0),
        ("plan_valid_hours", "720", 720),
        ("leaver_keys", "revoke", "revoke"),
        ("renew_invites", "False", False),
    ],
)
def test_a_setting_is_stored(acme, setting, text, value):
    document = configured("--set", f"{setting}={text}")
    assert document["settings"] == DEFAULTS | {setting: value}
    assert document["changed"] == [setting]
    assert getattr(Integration.objects.get(), setting) == value


def test_several_settings_are_stored_together_and_told(acme):
    out, err, status = run("configure", "Acme", "--set", "orphans=remove", "--set", "minimum_owners=2")
    assert (out, err, status) == ("orphans=remove\nminimum_owners=2\n", "", 0)


def test_setting_what_is_so_already_changes_nothing(acme):
    assert run("configure", "Acme", "--set", "mode=observe") == ("", "Acme was already so.\n", 0)
    assert Integration.objects.get().next_sync_at == acme.next_sync_at


ALL_NAMES = ", ".join(DEFAULTS)


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("", "--set takes SETTING=VALUE, such as mode=extend."),
        ("mode", "--set takes SETTING=VALUE, such as mode=extend."),
        ("=extend", f"There is no setting ''. There are: {ALL_NAMES}."),
        ("colour=blue", f"There is no setting 'colour'. There are: {ALL_NAMES}."),
        ("enabled=true", f"There is no setting 'enabled'. There are: {ALL_NAMES}."),
        ("base_url=x", f"There is no setting 'base_url'. There are: {ALL_NAMES}."),
        ("pk=1", f"There is no setting 'pk'. There are: {ALL_NAMES}."),
        ("Mode=extend", f"There is no setting 'Mode'. There are: {ALL_NAMES}."),
        ("mode=destroy", "mode can be observe, extend or manage; 'destroy' is none of these."),
        ("mode=", "mode can be observe, extend or manage; '' is none of these."),
        ("mode=Extend", "mode can be observe, extend or manage; 'Extend' is none of these."),
        ("over_limit=hold", "over_limit can be hold_takings or hold_all; 'hold' is none of these."),
        ("first_removals=no", "first_removals can be hold or allow; 'no' is none of these."),
        ("orphans=delete", "orphans can be report or remove; 'delete' is none of these."),
        ("leaver_keys=remove", "leaver_keys can be report or revoke; 'remove' is none of these."),
        ("renew_invites=1", "renew_invites can be true or false; '1' is none of these."),
        ("sync_every_minutes=0", "sync_every_minutes takes a whole number from 1 to 10080; '0' is not one."),
        (
            "sync_every_minutes=10081",
            "sync_every_minutes takes a whole number from 1 to 10080; '10081' is not one.",
        ),
        (
            "sync_every_minutes=30.5",
            "sync_every_minutes takes a whole number from 1 to 10080; '30.5' is not one.",
        ),
        ("sync_every_minutes=", "sync_every_minutes takes a whole number from 1 to 10080; '' is not one."),
        (
            "removal_limit_count=-1",
            "removal_limit_count takes a whole number from 0 to 2147483647; '-1' is not one.",
        ),
        (
            "removal_limit_count=99999999999",
            "removal_limit_count takes a whole number from 0 to 2147483647; '99999999999' is not one.",
        ),
        (
            "removal_limit_percent=101",
            "removal_limit_percent takes a whole number from 0 to 100; '101' is not one.",
        ),
        (
            "removal_limit_percent=10%",
            "removal_limit_percent takes a whole number from 0 to 100; '10%' is not one.",
        ),
        ("vanished_percent=x", "vanished_percent takes a whole number from 0 to 100; 'x' is not one."),
        ("plan_valid_hours=0", "plan_valid_hours takes a whole number from 1 to 720; '0' is not one."),
        ("plan_valid_hours=721", "plan_valid_hours takes a whole number from 1 to 720; '721' is not one."),
        ("minimum_owners=0", "minimum_owners takes a whole number from 1 to 32767; '0' is not one."),
        ("minimum_owners=²", "minimum_owners takes a whole number from 1 to 32767; '²' is not one."),
        (
            "managed_domains=example",
            "managed_domains: 'example' is not an e-mail domain such as example.org.",
        ),
        (
            "managed_domains=example.org ada@example.org",
            "managed_domains: 'ada@example.org' is not an e-mail domain such as example.org.",
        ),
    ],
)
def test_a_bad_setting_is_refused_by_name_with_what_it_can_be(acme, assignment, sentence):
    said = usage_of("configure", "Acme", "--set", assignment, "--json")
    assert said == f"{sentence}\nNothing was changed.\n"


def test_all_or_none(acme):
    said = usage_of(
        "configure", "Acme", "--set", "mode=extend", "--set", "orphans=x", "--set", "minimum_owners=0"
    )
    assert said.splitlines() == [
        "orphans can be report or remove; 'x' is none of these.",
        "minimum_owners takes a whole number from 1 to 32767; '0' is not one.",
        "Nothing was changed.",
    ]
    assert configured()["settings"] == DEFAULTS


@pytest.mark.parametrize("again", ["mode=manage", "mode=extend", " mode = manage "])
def test_a_setting_is_set_once(acme, again):
    said = usage_of("configure", "Acme", "--set", "mode=extend", "--set", again)
    assert said == "mode is set more than once.\nNothing was changed.\n"
    assert configured()["settings"] == DEFAULTS


def test_an_unknown_integration_is_answered_with_those_there_are(acme):
    said = usage_of("configure", "Emca", "--json")
    assert said == "There is no integration named 'Emca'. There are: Acme.\n"


# -- configure: what follows


def test_a_raised_mode_is_previewed_first_and_leaves_a_full_interval(acme):
    Integration.objects.update(next_sync_at=timezone.now(), next_sync_trigger="directory")
    document = configured("--set", "mode=manage", "--set", "sync_every_minutes=60")
    preview = ProvisioningJob.objects.get()
    assert (document["preview"], preview.preview, preview.state) == (preview.pk, True, "queued")
    assert next_sync() > timezone.now() + timedelta(minutes=59)
    assert Integration.objects.get().next_sync_trigger == "schedule"


def test_messages_about_the_preview_are_on_standard_error(acme):
    out, err, _ = run("configure", "Acme", "--set", "mode=extend", "--json")
    number = json.loads(out)["preview"]
    assert err == (
        f"Job {number}, a preview, is queued: it shows what mode extend would do. "
        "The next sync is a full interval away.\n"
    )


def test_a_preview_that_cannot_be_queued_is_no_reason_to_fail(acme):
    ProvisioningJob.objects.create(integration=acme, requested_at=timezone.now())
    out, err, status = run("configure", "Acme", "--set", "mode=extend", "--json")
    assert (status, json.loads(out)["preview"], json.loads(out)["settings"]["mode"]) == (0, None, "extend")
    assert err.startswith("No preview was queued: Job")


def test_a_lowered_mode_holds_at_once_and_needs_no_preview(acme):
    Integration.objects.update(mode="manage")
    assert configured("--set", "mode=observe")["preview"] is None
    assert not ProvisioningJob.objects.exists()
    assert Integration.objects.get().next_sync_at == acme.next_sync_at


def test_a_disabled_integration_is_configured_and_stays_asleep(acme):
    acme.disable()
    assert configured("--set", "mode=manage", "--set", "sync_every_minutes=5")["preview"] is None
    assert Integration.objects.get().next_sync_at is None
    assert not ProvisioningJob.objects.exists()


def test_a_new_interval_counts_from_now(acme):
    configured("--set", "sync_every_minutes=5")
    left = next_sync() - timezone.now()
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)


def test_a_new_interval_does_not_put_off_what_the_directory_asked_for(acme):
    due = timezone.now()
    Integration.objects.update(next_sync_at=due, next_sync_trigger="directory")
    configured("--set", "sync_every_minutes=10080")
    assert Integration.objects.values_list("next_sync_at", "next_sync_trigger").get() == (due, "directory")


def test_other_settings_leave_the_schedule(acme):
    configured("--set", "orphans=remove", "--set", "sync_every_minutes=30")
    assert Integration.objects.get().next_sync_at == acme.next_sync_at


def test_configuring_touches_neither_the_key_nor_the_name(acme, organization, simulator):
    configured("--set", "mode=manage")
    assert stored() == [("Acme", simulator.base_url, organization.admin_key, True)]
    assert Credential.objects.get().entered_at
