"""Old history goes into a file first, and what is still needed stays: of years of work, made once for all."""

import gzip
import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoDbBlocker

from cakewalk.ledger.models import Entry, Pruning
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.models import KeyLink
from provisioning.models import Account, Action, ProvisioningJob
from provisioning.retention import archive, pruning
from provisioning.retention.models import Archive, PruningLost
from provisioning.search.models import Mention
from tests.provisioning.world import BOSS, World, staffed
from tests.retention.builders import OLD, age, chain_is_whole, jobs, prune

ACTION = "provisioning.action"

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def years(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[World]:
    """Of work: joiners, leavers, movers, a group of the remote, a made project, what a restore gave."""
    organization = Organization(owner=BOSS)
    with django_db_blocker.unblock(), Simulator(organization) as simulator, transaction.atomic():
        world = World(organization, simulator)
        world.organization.add_project("Search")
        emails = staffed(world, 6)
        sync_a_day_ago(world)
        world.dismiss(emails[0])
        sync_a_day_ago(world)
        world.hire("new@example.org", "staff")
        for _ in range(6):
            sync_a_day_ago(world)
        age()
        yield world
        transaction.set_rollback(True)


@pytest.fixture
def long_ago(years: World) -> Iterator[World]:
    """Each test is undone in the database, and here in the organization."""
    before = deepcopy(vars(years.organization))
    yield years
    vars(years.organization).update(before)


def sync_a_day_ago(world: World) -> None:
    world.sync()
    age(timedelta(days=1))


def test_jobs_go_whole_into_the_file_and_what_the_file_holds_is_what_is_gone(long_ago, tmp_path):
    before, lines = jobs(), Action.objects.count()
    assert Mention.objects.filter(action__kind="invite").exists()
    result = prune(tmp_path)
    gone = sorted(set(before) - set(jobs()))
    assert len(gone) >= 3
    with gzip.open(result.path) as packed:
        head, *rows, end = [json.loads(line) for line in packed]
    assert head["archive"] == 1
    told = [row["row"]["id"] for row in rows if row["table"] == "provisioning.provisioningjob"]
    assert sorted(told) == gone
    actions = [row["row"] for row in rows if row["table"] == "provisioning.action"]
    assert {row["job_id"] for row in actions} <= set(gone)
    assert {row["kind"] for row in actions} == {"remove", "invite"}
    assert not Mention.objects.exclude(action__in=Action.objects.all()).exists()
    assert len(actions) == lines - Action.objects.count() == end["end"]["provisioning.action"]
    assert archive.sha256_of(tmp_path / "old.jsonl.gz") == result.sha256 == Archive.objects.get().sha256


def test_the_ledger_tells_which_jobs_went_into_which_file(long_ago, tmp_path):
    before = jobs()
    result = prune(tmp_path)
    gone = sorted(set(before) - set(jobs()))
    facts = Entry.objects.filter(verb=Verb.HISTORY_PRUNED).earliest("seq").told()["facts"]
    numbers = [number for first, last in facts["numbers"] for number in range(first, last + 1)]
    assert (facts["kind"], numbers) == ("jobs", gone)
    assert (facts["file"], facts["sha256"]) == ("old.jsonl.gz", result.sha256)


def test_the_next_job_plans_the_same_whatever_was_pruned(long_ago, tmp_path):
    """Previews before and after, and the sync that carries it out."""
    long_ago.dismiss("p1@example.org", "p2@example.org")
    long_ago.hire("late@example.org", "staff")
    before = long_ago.preview()
    ProvisioningJob.objects.filter(pk=before["job"]).delete()
    prune(tmp_path)
    after = long_ago.preview()
    assert (after["digest"], after["holds"], after["state"]) == (
        before["digest"],
        before["holds"],
        before["state"],
    )
    assert [row["reasons"] for row in after["actions"]] == [row["reasons"] for row in before["actions"]]
    assert after["read"] | {"calls": 0} == before["read"] | {"calls": 0}
    done = long_ago.sync()
    assert (done["state"], done["counts"]["done"]) == ("succeeded", 3)


class Stopped(BaseException):
    """By Ctrl-C, or by an error: there is time to tidy up."""


@pytest.mark.parametrize("ended_by", [Stopped, PruningLost])
def test_stopped_at_any_step_nothing_is_lost_and_nothing_repeated(long_ago, tmp_path, monkeypatch, ended_by):
    """Each try ends one step later than the one before, and the last one comes through. Whoever has lost the
    pruning to another process leaves everything as it is, as whoever is killed does.
    """
    monkeypatch.setattr(pruning, "PORTION", 3)
    for name in ("one", "two"):
        record(Verb.ADDED, name=name)
    age()
    before = set(Action.objects.values_list("pk", flat=True))
    for step in count():
        told = iter(range(step))

        def say(text: str, told=told) -> None:
            if next(told, None) is None:
                raise ended_by

        try:
            prune(tmp_path, name=f"{step}.jsonl.gz", say=say)
            break
        except ended_by:
            Archive.objects.unfinished().update(lease_expires_at=timezone.now())
    assert step > 10
    files = list(tmp_path.iterdir())
    assert files == [Path(one.path) for one in Archive.objects.filter(state=Archive.State.DONE)]
    assert not Archive.objects.unfinished().exists()
    held = [row["id"] for path in files for table, row in archive.rows_of(path) if table == ACTION]
    assert sorted(held) == sorted(before - set(Action.objects.values_list("pk", flat=True)))
    prunings = Entry.objects.filter(verb=Verb.LEDGER_PRUNED)
    assert [entry.told()["facts"]["seq"] for entry in prunings] == [one.seq for one in Pruning.objects.all()]
    (done,) = Archive.objects.filter(state=Archive.State.DONE)
    kinds = [entry.told()["facts"]["kind"] for entry in Entry.objects.filter(verb=Verb.HISTORY_PRUNED)]
    assert sorted([*kinds, "ledger"]) == sorted(done.contents) == ["accounts", "jobs", "ledger"]
    assert chain_is_whole()


def test_what_somebody_has_changed_since_the_file_was_written_stays(long_ago, tmp_path):
    """A restore that was asked for at the very last moment finds its job; an account that is back stays."""
    removal = ProvisioningJob.objects.filter(actions__kind="remove").latest("pk")
    gone = Account.objects.get(email="p0@example.org")

    def say(text: str) -> None:
        if text.startswith("Reading"):
            ProvisioningJob.objects.create(
                integration=removal.integration, restores=removal, requested_at=timezone.now()
            )
            Account.objects.filter(pk=gone.pk).update(gone_at=None)

    prune(tmp_path, say=say)
    assert removal.pk in jobs()
    assert removal.actions.filter(kind="remove").exists()
    assert Account.objects.filter(pk=gone.pk).exists()


def test_a_file_that_is_not_as_it_was_written_deletes_nothing_more(long_ago, tmp_path):
    path = tmp_path / "old.jsonl.gz"

    def say(text: str) -> None:
        if text.startswith("Reading"):
            path.write_bytes(path.read_bytes()[:-100])

    before = jobs()
    with pytest.raises(pruning.Refused, match="not what was written"):
        prune(tmp_path, say=say)
    with pytest.raises(pruning.Refused, match="not what was written"):
        prune(tmp_path, name="next.jsonl.gz")
    path.unlink()
    with pytest.raises(pruning.Refused, match="is not here"):
        prune(tmp_path, name="next.jsonl.gz")
    assert jobs() == before


def test_one_process_prunes_at_a_time(long_ago, tmp_path):
    Archive.begin("elsewhere", holder="another machine/1/x", now=timezone.now())
    with pytest.raises(pruning.Refused, match="Another process prunes"):
        prune(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["there.jsonl.gz", "nowhere/new.jsonl.gz"])
def test_a_file_that_is_there_already_and_a_folder_that_is_not_are_refused(long_ago, tmp_path, name):
    (tmp_path / "there.jsonl.gz").write_text("precious")
    before = jobs()
    with pytest.raises(pruning.Refused, match=r"exists already|no folder"):
        prune(tmp_path, name=name)
    assert (tmp_path / "there.jsonl.gz").read_text() == "precious"
    assert jobs() == before


def test_links_by_hand_and_whatever_is_there_stay_however_old(long_ago, tmp_path):
    by_hand = Account.objects.get(email="p0@example.org")
    Account.objects.filter(pk=by_hand.pk).update(match=Account.Match.MANUAL)
    before = set(Account.objects.values_list("pk", flat=True))
    prune(tmp_path)
    assert set(Account.objects.values_list("pk", flat=True)) == before


def test_the_admins_log_goes_and_no_file_holds_a_token(long_ago, tmp_path):
    user = long_ago.approver()
    old, now = timezone.now() - OLD, timezone.now()
    LogEntry.objects.create(user=user, action_flag=CHANGE, object_repr="old", action_time=old)
    LogEntry.objects.create(user=user, action_flag=CHANGE, object_repr="new", action_time=now)
    _link, token = KeyLink.make(
        kind="openai", name="x", base_url="", replaces=None, by=user, hours=1, now=timezone.now() - OLD
    )
    stored = KeyLink.objects.get().token_hash
    result = prune(tmp_path)
    with gzip.open(result.path, "rt") as file:
        text = file.read()
    assert "integrations.keylink" in text
    assert token not in text
    assert stored not in text
    assert [entry.object_repr for entry in LogEntry.objects.all()] == ["new"]
    assert not KeyLink.objects.exists()
