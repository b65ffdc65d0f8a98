"""Another key for everything: nothing is lost, nothing overwritten, and what is left is told."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command

from cakewalk import rekeying, sealed
from cakewalk.encryption import Secret, key_fingerprint
from cakewalk.ledger.models import Entry
from cakewalk.ledger.saying import said_of
from directory.models import LdapServer
from integrations.models import Credential, Integration, Rotation
from provisioning.alarms.models import Channel
from tests.admin.builders import channel, integration, ldap_server
from tests.environment import new_fernet_key
from tests.integrations.entering import NOW

OLD, NEW = new_fernet_key(), new_fernet_key()
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def stored(db: None, settings: Any) -> Any:
    """One secret in each column, under the old key; then the new one stands in front of it."""
    settings.FERNET_KEYS = [OLD]
    acme = integration("Acme", secret="sk-admin-" + "a" * 30)
    credential = Credential.objects.get(integration=acme)
    Rotation.objects.create(
        integration=acme, key_name="k", old_hint="…", old_entered_at=NOW, started_at=NOW, new_secret="new one"
    )
    ldap_server("corp")
    channel("Ops")
    settings.FERNET_KEYS = [NEW, OLD]
    return credential


def everything() -> dict[str, Any]:
    """Every secret in plain, as the present keys open it."""
    return {
        f"{column} {row.pk}": column.field.decrypted(row.token).reveal()
        for column in sealed.columns()
        for row in column.rows()
    }


def rekeyed(*words: str) -> tuple[dict[str, Any], int]:
    out, status = StringIO(), 0
    try:
        call_command("rekey", "--json", *words, stdout=out)
    except SystemExit as ended:
        status = int(ended.code or 0)
    return json.loads(out.getvalue()), status


def verbs() -> list[str]:
    return list(
        Entry.objects.filter(verb__startswith="secrets.").order_by("seq").values_list("verb", flat=True)
    )


def test_every_encrypted_column_is_found_by_itself():
    names = {str(column) for column in sealed.columns()}
    assert names >= {
        "integrations.Credential.secret",
        "integrations.Rotation.new_secret",
        "directory.LdapServer.password",
        "alarms.Channel.address",
        "alarms.Channel.signing_secret",
    }


def test_every_secret_is_on_the_newest_key_and_says_the_same(stored, settings):
    before, said = everything(), said_of(stored)
    found, status = rekeyed()
    assert (status, found["remaining"]) == (0, 0)
    assert found["spare_keys"] == [key_fingerprint(OLD)]
    settings.FERNET_KEYS = [NEW]
    assert everything() == before
    assert len(before) >= 5
    assert said_of(Credential.objects.get()) == said, "the ledger would tell of another secret"
    assert verbs() == ["secrets.rekey_begun", "secrets.rekeyed"]
    assert Entry.objects.get(verb="secrets.rekeyed").told()["facts"]["written"] == len(before)


def test_a_dry_run_tells_and_changes_nothing(stored, settings):
    found, status = rekeyed("--dry-run")
    assert (status, found["remaining"], found["spare_keys"]) == (6, len(everything()), [])
    assert {line["on_newest"] for line in found["columns"]} == {0}
    assert found["keys"][1]["fingerprint"] == key_fingerprint(OLD)
    settings.FERNET_KEYS = [OLD]
    assert everything()
    assert verbs() == []


def test_neither_key_nor_secret_is_printed(stored):
    out = StringIO()
    call_command("rekey", stdout=out, stderr=out)
    assert "take it out of FERNET_KEYS" in out.getvalue()
    for hidden in (OLD, NEW, *everything().values()):
        assert hidden not in out.getvalue()


def test_a_second_run_has_nothing_to_do(stored):
    rekeyed()
    tokens = [row for column in sealed.columns() for row in column.rows()]
    assert rekeyed()[1] == 0
    assert [row for column in sealed.columns() for row in column.rows()] == tokens
    assert len(verbs()) == 2


def test_what_no_key_opens_is_named_and_stops_the_advice_to_take_a_key_out(stored, settings):
    settings.FERNET_KEYS = [new_fernet_key()]
    LdapServer.objects.update(password=Secret("lost"))
    settings.FERNET_KEYS = [NEW, OLD]
    found, status = rekeyed()
    assert (status, found["remaining"], found["spare_keys"]) == (6, 1, [])
    [named] = [line for line in found["columns"] if line["unreadable"]]
    server = LdapServer.objects.defer("password").get()
    assert named["unreadable_rows"] == [f"LDAP server {server.pk} ({server.url})"]
    assert found["keys"][1]["opens"] == 0


def test_a_secret_that_is_replaced_at_that_moment_is_not_overwritten(stored, monkeypatch):
    """Between the look at a row and its writing."""
    column = next(one for one in sealed.columns() if one.model is Credential)
    [row] = column.rows()
    Credential.objects.update(secret=Secret("entered by hand meanwhile"))
    assert not column.replace(row)
    assert Credential.objects.get().secret.reveal() == "entered by hand meanwhile"


def test_a_row_that_goes_meanwhile_is_no_error(stored):
    column = next(one for one in sealed.columns() if one.model is Channel and one.field.name == "address")
    [row] = column.rows()
    Channel.objects.all().delete()
    assert not column.replace(row)


def test_a_process_that_still_writes_with_the_old_key_is_found_out(stored, settings, monkeypatch):
    """It writes after the run has passed its row: the last look tells, and the next run does it."""
    rewrite = rekeying._rewrite

    def rewriting(column: Any, *more: Any) -> int:
        written = rewrite(column, *more)
        if column.model is Credential:
            settings.FERNET_KEYS = [OLD]
            Credential.objects.update(secret=Secret("by an old worker"))
            settings.FERNET_KEYS = [NEW, OLD]
        return written

    monkeypatch.setattr(rekeying, "_rewrite", rewriting)
    found, status = rekeyed()
    assert (status, found["remaining"], found["spare_keys"]) == (6, 1, [])
    monkeypatch.undo()
    assert rekeyed()[1] == 0
    settings.FERNET_KEYS = [NEW]
    assert Credential.objects.get().secret.reveal() == "by an old worker"


def test_rows_are_read_a_few_at_a_time_to_the_last(stored, monkeypatch):
    monkeypatch.setattr(sealed, "AT_A_TIME", 2)
    rows = [
        Rotation(
            integration=Integration.objects.get(),
            key_name=f"k{n}",
            old_hint="",
            state="done",
            old_entered_at=NOW,
            started_at=NOW,
            new_secret=f"secret {n}",
        )
        for n in range(7)
    ]
    Rotation.objects.bulk_create(rows)
    column = next(one for one in sealed.columns() if one.model is Rotation)
    assert len(list(column.rows())) == 8


# -- whole processes


def an_installation(folder: Path, keys: str) -> Callable[..., "subprocess.Popen[str]"]:
    """A command on a database of its own, with these keys unless others are given."""
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "cakewalk.settings",
        "ENV_FILE": os.devnull,
        "DJANGO_SECRET_KEY": "s" * 50,
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
        "FERNET_KEYS": keys,
    }

    def run(*words: str, **other: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=ROOT,
            env=environment | other,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return run


def tokens(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "db.sqlite3") as database:
        return [
            row[0] for row in database.execute("SELECT new_secret FROM integrations_rotation ORDER BY id")
        ]


FILL = """
import django; django.setup()
from django.utils import timezone
from integrations.models import Integration, Rotation
now = timezone.now()
acme = Integration.objects.create(kind="openai", name="Acme", base_url="https://api.openai.com/v1")
Rotation.objects.bulk_create(
    Rotation(integration=acme, key_name=f"k{n}", old_hint="", state="done", old_entered_at=now,
             started_at=now, new_secret=f"secret {n}") for n in range(40))
"""
DIES = """
import os, signal, django; django.setup()
from django.core.management import call_command
from cakewalk import rekeying
from cakewalk.sealed import Column
real, done = Column.replace, 0
def replace(self, row):
    global done
    written = real(self, row)
    done += 1
    if done == 17:
        os.kill(os.getpid(), signal.SIGKILL)
    return written
Column.replace = replace
call_command("rekey")
"""
WRITES = """
import django; django.setup()
from integrations.models import Rotation
Rotation.objects.filter(key_name="k3").update(new_secret="by an old process")
"""
READS = """
import django; django.setup()
from integrations.models import Rotation
print(sorted(row.new_secret.reveal() for row in Rotation.objects.all()))
"""


@pytest.mark.soak
def test_a_change_of_keys_step_by_step_with_processes_that_know_different_keys(tmp_path):
    """The steps of docs/secrets.md, a run that is killed in the middle, and a process left behind."""
    run = an_installation(tmp_path, OLD)
    assert run("manage.py", "migrate", "--verbosity", "0").wait() == 0
    assert run("-c", FILL).wait() == 0

    both = {"FERNET_KEYS": f"{OLD},{NEW}"}  # 1. the new key behind: everybody can read what is to come
    front = {"FERNET_KEYS": f"{NEW},{OLD}"}  # 2. in front: everybody writes with it
    assert run("-c", DIES, **front).wait() == -signal.SIGKILL
    assert sum(map(opens(NEW), tokens(tmp_path))) == 17
    assert sum(map(opens(OLD), tokens(tmp_path))) == 23
    assert "secret 0" in run("-c", READS, **both).communicate()[0]

    assert run("-c", WRITES).wait() == 0  # a process that has not been restarted, with the old key alone
    assert "DecryptionError" in run("-c", READS).communicate()[1], "it stumbles, and says why"

    printed, _ = (process := run("manage.py", "rekey", **front)).communicate()
    assert process.returncode == 0, printed
    assert f"Key {key_fingerprint(OLD)} opens nothing any more" in printed
    alone = run("-c", READS, FERNET_KEYS=NEW).communicate()[0]
    assert alone.strip() == str(sorted(["by an old process", *(f"secret {n}" for n in range(40) if n != 3)]))


def opens(key: str) -> Callable[[str], bool]:
    def does(token: str) -> bool:
        try:
            return bool(Fernet(key).decrypt(token.encode()) or True)
        except Exception:
            return False

    return does
