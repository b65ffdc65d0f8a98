"""What happens is written down with it or not at all, in one chain, whoever writes at once."""

import threading

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction

from cakewalk.encryption import Secret
from cakewalk.ledger import chain
from cakewalk.ledger.actors import Actor, Kind, acting
from cakewalk.ledger.models import Entry, Head
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.saying import differences, said_of
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User

ADA = Actor(Kind.PERSON, "ada", "192.0.2.7")


def rows() -> list[chain.Row]:
    return [entry.as_row() for entry in Entry.objects.order_by("seq")]


def record_and_fail() -> None:
    with together():
        record(Verb.ADDED, name="lost")
        raise ZeroDivisionError


@pytest.mark.django_db
def test_an_entry_tells_who_did_what_to_what_and_follows_from_the_one_before():
    user = User.objects.create(username="bob", email="bob@x.org")
    with acting(ADA):
        record(Verb.ADDED, user, after={"username": "bob"}, email="bob@x.org")
        record(Verb.CHANGED, user, before={"username": "bob"}, after={"username": "rob"}, facts={"why": "é"})
    first, second = Entry.objects.order_by("seq")
    assert (first.seq, first.actor_kind, first.actor, first.address) == (1, "person", "ada", "192.0.2.7")
    assert (first.verb, first.object_kind, first.object_name) == ("row.added", "cakewalk.user", "bob")
    assert second.told() == {
        "before": {"username": "bob"},
        "after": {"username": "rob"},
        "facts": {"why": "é"},
    }
    assert list(chain.breaks(rows())) == [chain.Link(2, second.hash)]
    assert Head.objects.get().link == chain.Link(2, second.hash)
    assert list(Entry.objects.about(user)) == [second, first]


@pytest.mark.django_db
def test_without_anybody_signed_in_it_was_the_schedule():
    record(Verb.ADDED, name="something")
    assert Entry.objects.values_list("actor_kind", "actor").get() == ("schedule", "Cakewalk")


@pytest.mark.django_db
def test_what_is_rolled_back_was_never_written():
    with pytest.raises(ZeroDivisionError):
        record_and_fail()
    with together():
        record(Verb.ADDED, name="kept")
        with pytest.raises(ZeroDivisionError):
            record_and_fail()
        with together():
            record(Verb.ADDED, name="kept too")
        assert not Entry.objects.exists()
    assert list(Entry.objects.order_by("seq").values_list("object_name", flat=True)) == ["kept", "kept too"]


@pytest.mark.django_db
def test_a_secret_is_refused_and_nothing_is_written():
    with pytest.raises(TypeError, match="takes no Secret"):
        record(Verb.ADDED, facts={"key": Secret("sk-admin-abc")})
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_of_a_password_a_row_says_only_that_it_is_another():
    user = User.objects.create(username="bob")
    before = said_of(user)
    user.set_password("correct horse battery")
    old, new = differences(before, said_of(user))
    assert (old, list(new)) == ({"password": ""}, ["password"])
    assert new["password"].startswith("••••••••")
    assert "MD5" not in new["password"].upper()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entry SET actor = 'eve' WHERE seq = 2",
        "DELETE FROM ledger_entry WHERE seq = 3",
        "DELETE FROM ledger_entry",
        "INSERT INTO ledger_entry SELECT 9, at, actor_kind, actor, address, verb, object_kind, object_id,"
        " object_name, integration, email, body, previous, hash FROM ledger_entry WHERE seq = 1",
    ],
)
def test_the_database_itself_refuses_to_change_it(statement):
    for name in ("one", "two", "three"):
        record(Verb.ADDED, name=name)
    with pytest.raises(DatabaseError, match="nothing in it changed"), transaction.atomic():
        connection.cursor().execute(statement)
    assert len(list(chain.breaks(rows()))) == 1


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite in memory has one writer; a file waits")
@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_one_chain():
    def write(name: str) -> None:
        for _ in range(10):
            with together():
                record(Verb.ADDED, name=name)
                record(Verb.CHANGED, name=name)
        connection.close()

    threads = [threading.Thread(target=write, args=[f"thread {number}"]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(chain.breaks(rows())) == [Head.objects.get().link]
    assert Entry.objects.count() == 80


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer, who waits for nobody")
@pytest.mark.django_db(transaction=True)
def test_who_refers_to_a_row_that_another_has_locked_does_not_hold_the_chain_meanwhile():
    """PostgreSQL checks with the commit that the row is there, and the other would wait for the chain."""
    user, group = User.objects.create(username="ada"), Group.objects.create(name="staff")
    failed: list[Exception] = []

    def refer() -> None:
        try:
            with together():
                user.groups.add(group)
                record(Verb.ADDED, name="who refers to it")
        except DatabaseError as error:
            failed.append(error)
        connection.close()

    referring = threading.Thread(target=refer)
    with together():
        Group.objects.select_for_update().get(pk=group.pk)
        referring.start()
        referring.join(1)
        record(Verb.CHANGED, name="who has locked it")
    referring.join()
    assert (failed, Entry.objects.filter(seq__gt=0).count(), user.groups.count()) == ([], 2, 1)
