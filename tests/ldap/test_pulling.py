"""What a source says is taken over; what proves nothing changes nothing."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from cakewalk.encryption import Secret
from directory.models import LdapServer, Person, Pull
from integrations.models import Integration
from provisioning import pulling
from tests.directory.builders import directory, person
from tests.environment import new_fernet_key
from tests.ldap.conftest import MANY, ldap_source
from tests.ldap.slapd import GROUPS, PASSWORD, PEOPLE, SUFFIX

pytestmark = [pytest.mark.ldap, pytest.mark.django_db]


@pytest.fixture
def small(own_slapd) -> LdapServer:
    """A source with six people, pulled once."""
    server = ldap_source("corp", own_slapd)
    assert pulling.pull(server).outcome == "done"
    return server


@pytest.fixture
def acme() -> Integration:
    return Integration.objects.create(kind="openai", name="Acme", base_url="https://x.org", enabled=True)


def active() -> set[str]:
    return {email.partition("@")[0] for email, said in directory().items() if said["active"]}


def last() -> Pull:
    return Pull.objects.latest("pk")


def test_everybody_comes_with_their_groups(corp, acme):
    pulled = pulling.pull(corp)
    assert (pulled.outcome, pulled.read) == ("done", {"people": MANY, "groups": 3, "pages": 4})
    assert (len(pulled.plan.added), Person.objects.active_on(timezone.now()).count()) == (MANY, MANY)
    assert directory()["p1@example.org"]["groups"] == ["engineering", "posix"]
    assert directory()["p700@example.org"]["groups"] == ["everybody"]
    assert (last().counts["added"], last().outcome) == (MANY, "done")
    acme.refresh_from_db()
    assert acme.change_waits

    [first] = Person.objects.get(email="p1@example.org").revisions.all()
    assert (first.by, first.fields["groups"]) == (
        f"pull of {corp.url} into corp",
        [None, ["engineering", "posix"]],
    )

    Integration.objects.update(next_sync_trigger="schedule")
    LdapServer.objects.update(nested_groups=True)
    corp.refresh_from_db()
    changed = pulling.pull(corp).plan.changed
    assert len(changed) == 600  # who is in everybody through engineering
    assert pulling.pull(corp).plan.changes == []


def test_a_preview_writes_nothing(corp):
    assert len(pulling.preview(corp).plan.added) == MANY
    assert (Person.objects.count(), Pull.objects.count()) == (0, 0)


def test_somebody_who_left_is_deactivated_and_who_changed_stays_who_they_are(small, own_slapd):
    ada = Person.objects.get(email="ada@example.org")
    with own_slapd.changing() as server:
        server.modify(f"uid=ada,{PEOPLE}", {"mail": [("MODIFY_REPLACE", ["lovelace@example.org"])]})
        server.modify_dn(f"uid=ada,{PEOPLE}", "uid=lovelace")
        server.modify(
            f"cn=engineering,{GROUPS}", {"member": [("MODIFY_REPLACE", [f"uid=lovelace,{PEOPLE}"])]}
        )
        server.delete(f"uid=bob,{PEOPLE}")
    pulled = pulling.pull(small)
    assert (len(pulled.plan.changed), len(pulled.plan.deactivated)) == (1, 1)
    assert active() == {"lovelace", "carl", "dora", "emil", "fay"}
    ada.refresh_from_db()
    assert (ada.email, [group.name for group in ada.groups.all()]) == (
        "lovelace@example.org",
        ["engineering"],
    )
    with own_slapd.changing() as server:
        server.add(f"uid=bob,{PEOPLE}", "inetOrgPerson", {"cn": "Bob", "sn": "B", "mail": "bob@example.org"})
    pulling.pull(small)
    assert "bob" in active()


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        ({"url": "ldap://localhost:1"}, "does not answer as it should"),
        ({"password": "wrong"}, "invalidCredentials"),
        ({"bind_dn": f"cn=limited,{SUFFIX}", "password": "l1mited"}, "sizeLimitExceeded"),
        ({"base_dn": SUFFIX}, "refers to ldap://127.0.0.1:9/"),
        ({"people_filter": "(uid=nobody)"}, "Nothing follows from that."),
        ({"group_base_dn": PEOPLE}, "Nothing follows from that."),
        ({"attributes": "email = pager"}, "None of 1200 entries has an e-mail"),
    ],
    ids=["away", "locked out", "cut off", "elsewhere", "nobody", "no groups", "no addresses"],
)
def test_what_proves_nothing_changes_nothing(slapd, acme, settings, detail):
    server = ldap_source("corp", slapd, **settings)
    person("ada@example.org", source=server.source, groups=("engineering",), external_id="x")
    pulled = pulling.pull(server)
    assert (pulled.outcome, last().outcome) == ("inconclusive", "inconclusive")
    assert detail in last().detail
    assert directory()["ada@example.org"]["active"]
    assert directory()["ada@example.org"]["groups"] == ["engineering"]
    acme.refresh_from_db()
    assert not acme.change_waits


def test_a_password_that_cannot_be_read_says_so(small, settings):
    settings.FERNET_KEYS = [new_fernet_key()]
    server = LdapServer.objects.defer("password").get()
    assert pulling.pull(server).outcome == "inconclusive"
    assert "cannot be decrypted" in last().detail
    assert active() == {"ada", "bob", "carl", "dora", "emil", "fay"}


def test_many_who_are_gone_at_once_are_refused_until_somebody_accepts(small, own_slapd):
    with own_slapd.changing() as server:
        for uid in ("bob", "carl"):
            server.delete(f"uid={uid},{PEOPLE}")
    assert pulling.pull(small).outcome == "refused"
    assert last().detail.startswith("2 of 6 active people of source 'corp' would lose access at once")
    assert pulling.pull(small).outcome == "refused"
    small.source.allow_drop(now=timezone.now())
    with own_slapd.changing() as server:
        server.delete(f"uid=dora,{PEOPLE}")
    assert pulling.pull(small).outcome == "refused"  # worse than what was accepted
    assert len(active()) == 6
    small.source.allow_drop(now=timezone.now())
    assert pulling.pull(small).outcome == "done"
    assert active() == {"ada", "emil", "fay"}


# -- by the clock


def test_the_clock_goes_on_with_what_went_well_once(small, own_slapd):
    other = ldap_source("other", own_slapd, attributes="email = pager")
    later = timezone.now() + timedelta(hours=1, seconds=5)
    assert pulling.due_pulls(later) == [small.pk]
    assert pulling.pull(other).outcome == "inconclusive"
    assert pulling.due_pulls(later) == [small.pk]

    pulling.request_pull(other)
    assert pulling.due_pulls(timezone.now()) == [other.pk]
    pulling.pull_if_due(other.pk)
    pulling.pull_if_due(other.pk)  # a message that came twice
    assert other.source.pulls.count() == 2
    assert pulling.due_pulls(timezone.now()) == []


def test_one_process_pulls_a_source_at_a_time_and_a_dead_one_is_given_up(small):
    now = timezone.now()
    assert small.claim(now=now)
    with pytest.raises(pulling.AtWork):
        pulling.pull(small)
    small.ask(now=now)
    assert pulling.due_pulls(now + timedelta(minutes=29)) == []
    assert pulling.due_pulls(now + timedelta(minutes=31)) == [small.pk]


def test_a_defect_of_ours_is_told_and_lets_go(small, monkeypatch):
    monkeypatch.setattr(pulling, "_imported", lambda *_, **__: 1 / 0)
    assert pulling.pull(small).outcome == "failed"
    assert "ZeroDivisionError" in last().detail
    small.refresh_from_db()
    assert small.pulling_until is None


def test_only_the_newest_pulls_are_kept(small, monkeypatch):
    monkeypatch.setattr("directory.ldap.models.KEPT", 3)
    for _ in range(4):
        pulling.pull(small)
    assert Pull.objects.count() == 3


# -- the command


def run(*words: str) -> tuple[str, str, int]:
    out, err, status = io.StringIO(), io.StringIO(), 0
    try:
        call_command("pull_source", *words, stdout=out, stderr=err)
    except CommandError as error:
        err.write(f"{error}\n")
        status = error.returncode
    return out.getvalue(), err.getvalue(), status


def test_the_command_says_what_was_read_and_done(small, own_slapd):
    with own_slapd.changing() as server:
        server.modify(f"uid=ada,{PEOPLE}", {"title": [("MODIFY_REPLACE", ["Lead"])]})
    out, err, status = run("corp", "--dry-run")
    assert (out, status) == ("", 0)
    assert err.splitlines()[0] == "~ ada@example.org: title  → Lead"
    document = json.loads(run("corp", "--json")[0])
    assert (document["outcome"], document["changed"], document["unchanged"]) == ("done", 1, 5)
    assert document["read"] == {"people": 6, "groups": 1, "pages": 2}
    assert document["applied"]


def test_the_command_tells_what_stopped_it(small):
    LdapServer.objects.update(password=Secret("wrong"))
    out, err, status = run("corp", "--json")
    assert status == 5
    assert json.loads(out)["outcome"] == "inconclusive"
    assert err.endswith("Nothing was changed.\n")
    assert PASSWORD not in out + err
    assert run("nobody")[1:] == ("There is no source 'nobody'; what can be pulled is an LDAP server.\n", 2)
