"""How old history goes, kind by kind: the ledger, what is known of people, alarms."""

import gzip
from datetime import timedelta

import pytest
from django.utils import timezone

from cakewalk.ledger.models import Entry, Pruning
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from directory.models import Revision
from provisioning.alarms.models import Alarm
from provisioning.retention.models import Archive
from tests.retention.builders import age, chain_is_whole, prune

pytestmark = pytest.mark.django_db


def test_the_chain_goes_on_from_where_it_was_cut(world, tmp_path):
    for name in ("one", "two", "three"):
        record(Verb.ADDED, name=name)
    age()
    record(Verb.ADDED, name="young")
    last = Entry.objects.get(object_name="three")
    result = prune(tmp_path)
    assert Entry.objects.order_by("seq")[0].object_name == "young"
    assert (Pruning.begin(), Pruning.objects.get().exported) == ((last.seq, last.hash), result.sha256)
    assert chain_is_whole()
    told = Entry.objects.get(verb=Verb.LEDGER_PRUNED).told()["facts"]
    assert (told["seq"], told["hash"], told["sha256"]) == (last.seq, last.hash, result.sha256)


def test_nothing_is_written_and_nothing_recorded_where_nothing_is_old(world, tmp_path):
    world.sync()
    entries = Entry.objects.count()
    assert prune(tmp_path).path == ""
    assert (Entry.objects.count(), list(tmp_path.iterdir()), Archive.objects.count()) == (entries, [], 0)


def test_of_a_persons_changes_the_last_word_on_each_thing_stays(world, tmp_path):
    ada = world.person("boss@example.org")
    told = [
        {"email": [None, ada.email], "groups": [None, ["owners"]], "active": [None, True]},
        {"title": ["", "Countess"]},
        {"groups": [["owners"], ["owners", "staff"]]},
        {"groups": [["owners", "staff"], ["owners"]]},
        {"title": ["Countess", "Lady"], "active": [True, False]},
        {"active": [False, True]},
        {"title": ["Lady", "Dame"]},
    ]
    rows = [Revision.objects.create(person=ada, at=timezone.now(), by="x", fields=one) for one in told]
    age()
    Revision.objects.filter(pk=rows[-1].pk).update(at=timezone.now())
    prune(tmp_path)
    left = set(Revision.objects.values_list("pk", flat=True))
    assert [row.pk in left for row in rows] == [True, False, False, True, False, True, True]


def test_an_alarm_goes_long_after_its_all_clear_and_one_that_is_open_never(world, tmp_path):
    long_ago = timezone.now() - timedelta(days=500)
    told = {
        "cause": "held",
        "name": "Acme",
        "what": "job awaits approval",
        "path": "/",
        "opened_at": long_ago,
    }
    for subject, over in (("job 1", long_ago), ("job 2", timezone.now()), ("job 3", None)):
        Alarm.objects.create(subject=subject, closed_at=over, **told)
    prune(tmp_path)
    assert list(Alarm.objects.order_by("pk").values_list("subject", flat=True)) == ["job 2", "job 3"]
    kept = gzip.decompress((tmp_path / "old.jsonl.gz").read_bytes()).decode()
    assert [subject in kept for subject in ("job 1", "job 2")] == [True, False]
