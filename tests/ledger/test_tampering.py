"""Somebody who owns the database changes the record, and `history verify` finds each way of it."""

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from cakewalk.ledger import chain, checkpoints, guards
from cakewalk.ledger.models import Entry, Head, Verification
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from provisioning import proving

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
KEY = checkpoints.new_key()
OTHER_KEY = checkpoints.new_key()


@pytest.fixture(autouse=True)
def ten_entries(settings, tmp_path):
    """And a key, with a folder for checkpoints."""
    settings.LEDGER_KEY, settings.LEDGER_CHECKPOINTS = KEY, tmp_path
    write(10)


def write(number: int) -> None:
    for one in range(number):
        record(Verb.ADDED, name=f"thing {one}", facts={"number": one})


def tamper(*statements: str) -> None:
    """As somebody who may drop the triggers."""
    guards.remove(connection)
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    guards.install(connection)


def verify(*arguments: str) -> tuple[int, dict]:
    """The exit status of `history verify`, and what it prints."""
    out = StringIO()
    try:
        call_command("history", "verify", "--json", *arguments, stdout=out)
    except SystemExit as end:
        return int(str(end.code)), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


def faults(*arguments: str) -> list[tuple[int, str]]:
    status, found = verify(*arguments)
    assert (status, found["intact"]) == ((4, False) if found["breaks"] else (0, True))
    return [(one["seq"], one["fault"]) for one in found["breaks"]]


COPY = (
    "INSERT INTO ledger_entry SELECT {seq}, at, actor_kind, actor, address, verb, object_kind, object_id,"
    " object_name, integration, email, body, previous, hash FROM ledger_entry WHERE seq = {of}"
)
SWAP = [
    "UPDATE ledger_entry SET seq = 100 WHERE seq = 4",
    "UPDATE ledger_entry SET seq = 4 WHERE seq = 5",
    "UPDATE ledger_entry SET seq = 5 WHERE seq = 100",
]
MAKE_ROOM = [
    "UPDATE ledger_entry SET seq = -seq WHERE seq >= 5",
    "UPDATE ledger_entry SET seq = 1 - seq WHERE seq < 0",
]


def test_what_nobody_touched_is_intact():
    status, found = verify()
    head = Head.objects.get()
    assert (status, found["intact"], found["entries"], found["seq"]) == (0, True, 10, 10)
    assert found["hash"] == head.hash
    assert Verification.objects.get().is_intact


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        (["UPDATE ledger_entry SET actor = 'eve' WHERE seq = 4"], [(4, "altered")]),
        (["UPDATE ledger_entry SET body = '{}' WHERE seq = 10"], [(10, "altered")]),
        (["UPDATE ledger_entry SET at = '2020-01-01 00:00:00+00:00' WHERE seq = 4"], [(4, "altered")]),
        (["UPDATE ledger_entry SET previous = hash WHERE seq = 4"], [(4, "unlinked"), (4, "altered")]),
        (["DELETE FROM ledger_entry WHERE seq = 4"], [(5, "missing")]),
        (["DELETE FROM ledger_entry WHERE seq <= 3"], [(4, "missing")]),
        (["DELETE FROM ledger_entry WHERE seq BETWEEN 4 AND 6"], [(7, "missing")]),
        (SWAP, [(4, "unlinked"), (4, "altered"), (5, "unlinked"), (5, "altered"), (6, "unlinked")]),
        (["DELETE FROM ledger_entry WHERE seq > 7"], [(8, "truncated")]),
        (["DELETE FROM ledger_entry"], [(1, "truncated")]),
        ([COPY.format(seq=11, of=4)], [(11, "unlinked")]),
    ],
    ids=[
        "edited",
        "newest edited",
        "backdated",
        "link edited",
        "deleted",
        "oldest deleted",
        "several deleted",
        "reordered",
        "tail cut off",
        "emptied",
        "one appended by hand",
    ],
)
def test_each_way_to_tamper_is_found_where_it_was_done(statements, told):
    tamper(*statements)
    assert faults() == told


def test_an_entry_put_in_between_is_found():
    tamper(*MAKE_ROOM, COPY.format(seq=5, of=4), "UPDATE ledger_head SET seq = 11")
    found = faults()
    assert found[0] == (5, "unlinked")
    assert [seq for seq, fault in found if fault == "altered"] == [5, 6, 7, 8, 9, 10, 11]


def rewrite(after: int) -> None:
    """Compute all hashes anew, as somebody can who has the code and the database."""
    guards.remove(connection)
    at = chain.START
    for entry in Entry.objects.order_by("seq"):
        if entry.seq >= after:
            entry.previous = at.hash
            entry.hash = chain.hash_of(at.hash, entry.values())
            Entry.objects.filter(pk=entry.pk).update(previous=entry.previous, hash=entry.hash)
        at = chain.Link(entry.seq, entry.hash)
    Head.objects.update(seq=at.seq, hash=at.hash)
    guards.install(connection)


def test_a_chain_that_was_written_anew_fits_together_and_a_checkpoint_shows_it(tmp_path):
    proving.keep_checkpoint(NOON)
    write(2)
    tamper("UPDATE ledger_entry SET actor = 'eve' WHERE seq = 4")
    rewrite(after=4)
    assert faults() == [(10, "rewritten")]
    for kept in checkpoints.kept_in(tmp_path):
        kept.unlink()
    assert faults() == []  # which is why checkpoints are kept elsewhere


CUT_OFF_AFTER_7 = (
    "DELETE FROM ledger_entry WHERE seq > 7",
    "UPDATE ledger_head SET seq = 7, hash = (SELECT hash FROM ledger_entry WHERE seq = 7)",
)


def test_newest_entries_that_are_gone_with_their_head_are_missed_by_a_checkpoint():
    proving.keep_checkpoint(NOON)
    tamper(*CUT_OFF_AFTER_7)
    assert faults() == [(8, "truncated")]


def test_an_old_backup_that_was_restored_and_gone_on_with_is_found():
    """What was written since differs from what a checkpoint has seen."""
    proving.keep_checkpoint(NOON)
    tamper(*CUT_OFF_AFTER_7)
    write(5)
    assert proving.keep_checkpoint(NOON) is None  # a newer one would hide it
    assert faults() == [(10, "rewritten")]


def test_a_ledger_that_was_begun_anew_is_not_the_one_of_the_checkpoint():
    proving.keep_checkpoint(NOON)
    tamper("DELETE FROM ledger_entry", "DELETE FROM ledger_head")
    write(12)
    assert faults() == [(10, "rewritten")]


def test_a_checkpoint_that_somebody_else_signed_or_changed_is_not_believed(tmp_path):
    kept = proving.keep_checkpoint(NOON)
    forged = tmp_path / "forged.json"
    forged.write_text(proving.state(OTHER_KEY, Head.objects.get(), NOON).as_text())
    assert faults("--checkpoint", str(forged)) == [(10, "signature")]
    public = checkpoints.public_key(OTHER_KEY)
    assert faults("--checkpoint", str(forged), "--public-key", public) == []
    kept.write_text(kept.read_text().replace('"seq": 10', '"seq": 9'))
    assert faults() == [(9, "signature")]
    kept.write_text("{}")
    assert faults() == [(0, "signature")]


def test_a_checkpoint_is_written_when_there_is_something_new_and_a_key(settings):
    first = proving.keep_checkpoint(NOON)
    assert first.name == "checkpoint-000000000010.json"
    assert proving.keep_checkpoint(NOON) is None
    write(1)
    settings.LEDGER_KEY = ""
    assert proving.keep_checkpoint(NOON) is None
    settings.LEDGER_KEY = KEY
    assert proving.keep_checkpoint(NOON) is not None
    assert verify()[1]["checkpoints"] == 2


def test_the_whole_record_is_read_once_a_day():
    proving.verify_if_due(NOON)
    taken = Verification.objects.get()
    proving.verify_if_due(taken.at)
    assert Verification.objects.count() == 1
    proving.verify_if_due(taken.at + proving.VERIFY_EVERY)
    assert Verification.objects.count() == 2


def test_an_export_can_be_checked_with_twenty_lines_of_python():
    out = StringIO()
    call_command("history", "export", "--format", "json", stdout=out)
    document = json.loads(out.getvalue())
    rows = [
        chain.Row(one["seq"], [one[name] for name in chain.FIELDS], one["previous"], one["hash"])
        for one in document["entries"]
    ]
    assert list(chain.breaks(rows)) == [chain.Link(document["ledger"]["seq"], document["ledger"]["hash"])]
    rows[3].values[2] = "eve"
    assert [str(one.fault) for one in list(chain.breaks(rows))[:-1]] == ["altered"]


def test_an_export_holds_the_days_that_were_asked_for():
    out = StringIO()
    call_command("history", "export", "--format", "csv", "--until", "2020-01-01", stdout=out)
    assert out.getvalue().splitlines() == [",".join([*chain.FIELDS, "previous", "hash"])]
    out = StringIO()
    call_command("history", "export", "--format", "csv", "--since", "2020-01-01", stdout=out)
    assert len(out.getvalue().splitlines()) == 1 + 10 + 2  # and what tells of both exports
    assert list(Entry.objects.order_by("-seq").values_list("verb", flat=True)[:2]) == [Verb.EXPORT_BEGUN] * 2


def test_a_key_that_is_none_is_refused_by_name(tmp_path, settings):
    settings.LEDGER_KEY = ""
    with pytest.raises(CommandError, match="There is no key to sign with"):
        call_command("history", "checkpoint")
    bad = tmp_path / "key"
    bad.write_text("hunter2")
    with pytest.raises(CommandError, match="holds no private key"):
        call_command("history", "checkpoint", "--key-file", str(bad))
