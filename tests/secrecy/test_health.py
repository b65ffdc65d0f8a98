"""Whether every secret can be read is seen before somebody needs one, and who else could read its file."""

from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.utils import timezone

from cakewalk import environment, secrets_health
from cakewalk.encryption import Secret
from cakewalk.sealed import columns
from directory.models import LdapServer
from provisioning.alarms import finding
from provisioning.alarms.wording import advice
from tests.admin.builders import channel, integration, ldap_server
from tests.environment import new_fernet_key
from tests.secrecy.test_rekeying import rekeyed


@pytest.fixture
def stored(db: None) -> None:
    integration("Acme", secret="sk-admin-" + "a" * 30)
    ldap_server("corp")
    channel("Ops")


@pytest.fixture
def lost(stored: None, settings: Any) -> LdapServer:
    """A password under a key that is gone."""
    kept, settings.FERNET_KEYS = settings.FERNET_KEYS, [new_fernet_key()]
    LdapServer.objects.update(password=Secret("lost"))
    settings.FERNET_KEYS = kept
    return LdapServer.objects.defer("password").get()


def test_all_is_well_where_every_secret_can_be_read(stored):
    assert secrets_health.unreadable() == []


def test_what_no_key_opens_is_named(lost):
    [found] = secrets_health.unreadable()
    assert str(found) == f"directory.LdapServer.password of LDAP server {lost.pk} ({lost.url})"


def test_a_probe_costs_a_query_for_each_column(stored, django_assert_num_queries):
    with django_assert_num_queries(len(columns())):
        secrets_health.unreadable()


def test_the_deploy_check_asks_the_database_only_where_it_is_told_to(lost, settings):
    settings.SILENCED_SYSTEM_CHECKS = ["async.E001"]  # of what the browser's tests set, and need
    call_command("check", "--deploy")
    with pytest.raises(
        SystemCheckError, match=r"cakewalk.E002.*No key in FERNET_KEYS opens directory.LdapServer"
    ):
        call_command("check", "--deploy", "--database", "default")


def test_an_alarm_says_whose_secret_it_is_and_what_to_do(lost):
    [found] = [one for one in finding.find(timezone.now()) if one.code == "secret_unreadable"]
    assert (found.cause, found.name) == ("credential", "LDAP server")
    assert found.what == "1 secret cannot be decrypted"
    assert f"LDAP server {lost.pk} ({lost.url})" in found.detail
    assert "FERNET_KEYS" in advice(found.cause, found.code)


def test_no_alarm_where_every_secret_can_be_read(stored):
    assert [one for one in finding.find(timezone.now()) if one.code == "secret_unreadable"] == []


def test_the_check_of_rekey_finds_it_too(lost):
    assert rekeyed("--check")[1] == 6


def test_a_file_that_everybody_can_read_is_told(tmp_path, monkeypatch):
    file = tmp_path / "key"
    file.write_text("x" * 50)
    monkeypatch.setattr(environment, "files_of_secrets", {"DJANGO_SECRET_KEY_FILE": file})
    file.chmod(0o640)
    assert secrets_health.check_files_of_secrets() == []
    file.chmod(0o644)
    [warning] = secrets_health.check_files_of_secrets()
    assert warning.msg == f"DJANGO_SECRET_KEY_FILE: {file} can be read by everybody on this machine."


def test_keys_stand_in_a_file_one_on_a_line(tmp_path, monkeypatch):
    keys = [new_fernet_key(), new_fernet_key()]
    file = tmp_path / "keys"
    file.write_text("".join(f"{key}\n" for key in keys))
    monkeypatch.setenv("FERNET_KEYS_FILE", str(file))
    assert environment.fernet_keys("FERNET_KEYS") == keys
    file.write_text(f"{keys[0]},\n{keys[1]}\r\n")
    assert environment.fernet_keys("FERNET_KEYS") == keys
    assert environment.files_of_secrets["FERNET_KEYS_FILE"] == file


def test_a_second_line_that_is_no_key_is_told_by_its_place(tmp_path, monkeypatch):
    file = tmp_path / "keys"
    file.write_text(f"{new_fernet_key()}\nshort\n")
    monkeypatch.setenv("FERNET_KEYS_FILE", str(file))
    with pytest.raises(ImproperlyConfigured, match="FERNET_KEYS: key 2 of 2") as refused:
        environment.fernet_keys("FERNET_KEYS")
    assert "short" not in str(refused.value)
