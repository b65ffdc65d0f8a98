"""What stands in a pack: all that the record tells, complete, the same bytes each time, nothing secret."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from cakewalk.ledger.models import Entry
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from directory import revising
from directory.models import Person
from integrations.models import Integration
from provisioning.evidence import making
from provisioning.evidence.models import EvidencePack, TakenOver
from provisioning.evidence.ordering import BadOrder, Order, order
from provisioning.evidence.population import COUNTED
from provisioning.models import Action, ProvisioningJob
from tests.integrations.test_commands import usage_of
from tests.provisioning.evidence.packs import Pack, made, programs
from tests.provisioning.world import World, command, staffed


def say(world: World, *emails: str, active: bool) -> None:
    """The directory says who leaves, and keeps that it did."""
    people = list(Person.objects.filter(email__in=emails).values_list("pk", flat=True))
    with together():
        before = revising.known(people)
        Person.objects.filter(pk__in=people).update(active=active)
        revising.note(before, people, by="people.csv", now=timezone.now())


def asked(world: World, **more: Any) -> Order:
    today = timezone.localdate()
    return order(world.integration, today - timedelta(days=1), today, now=timezone.now(), **more)


@pytest.fixture
def lived(world: World) -> World:
    """One joins, one leaves at once, and two wait for an approver."""
    emails = staffed(world, 12)
    world.hire("new@example.org", "staff")
    say(world, emails[0], active=False)
    world.sync()
    world.configure(removal_limit_count=0, removal_limit_percent=0)
    say(world, emails[1], emails[2], active=False)
    held = world.sync()
    world.approver()
    world.approve(held["job"], reason="They left with the project.")
    rule = world.integration.rules.get(name="Staff")
    record(Verb.CHANGED, rule, before={"role": "owner"}, after={"role": "reader"})
    return world


def test_a_pack_tells_of_everybody_and_reconciles_with_the_jobs(lived: World) -> None:
    pack, built = made(asked(lived))

    people = [(row["situation"], row["email"], row["state"], row["held"]) for row in pack.table("population")]
    assert people == [
        ("joiner", "new@example.org", "done", False),
        ("leaver", "p0@example.org", "done", False),
        ("leaver", "p1@example.org", "done", True),
        ("leaver", "p2@example.org", "done", True),
    ]
    assert built.said["population"]["reconciles"]
    assert [row["lines_in_population"] for row in pack.table("jobs")] == [2, 2]
    (approval,) = pack.table("decisions")
    assert (approval["what"], approval["by"]) == ("approved", "alice")
    assert approval["reason"] == "They left with the project."
    assert built.said["removal_after_departure"]["leavers_seen_gone"] == 3
    assert [row["outcome"] for row in pack.table("departures")] == ["in the population as a leaver"] * 3
    assert [row["role"] for row in pack.table("rules_at_start")] == ["owner", "owner"]
    assert [row["role"] for row in pack.table("rules_at_end")] == ["owner", "reader"]
    (change,) = pack.table("rule_changes")
    assert (change["name"], change["field"], change["before"], change["after"]) == (
        "Staff",
        "role",
        "owner",
        "reader",
    )
    assert [(row["user"], row["may_approve"]) for row in pack.table("rights_at_end")] == [("alice", True)]


def test_the_same_order_makes_the_same_bytes_whatever_comes_later(lived: World) -> None:
    first, built = made(asked(lived, seed="autumn"))
    through = built.said["pack"]["state_of_the_record"]["entry"]

    say(lived, "p5@example.org", active=False)
    lived.sync()
    rule = lived.integration.rules.get(name="Staff")
    rule.state = "draft"
    rule.save()
    record(Verb.CHANGED, rule, before={"state": "active"}, after={"state": "draft"})
    again, _ = made(asked(lived, seed="autumn", through=through))
    later, _ = made(asked(lived, seed="autumn"))

    assert again.files == first.files
    assert again.content == first.content
    assert first.names == sorted(first.names)
    assert first.times == {(1980, 1, 1, 0, 0, 0)}
    assert len(later.table("population")) == 5


def test_a_reader_can_check_the_files_draw_the_sample_and_follow_the_chain(
    lived: World, tmp_path: Path
) -> None:
    other = Integration.objects.create(kind="openai", name="Other", base_url=lived.simulator.base_url)
    record(Verb.CHANGED, other, after={"name": "Nobody else's business"})
    record(Verb.CHANGED, lived.integration, after={"name": "Ädler & Söhne"})
    pack, built = made(asked(lived, sample=2))
    for name, content in pack.files.items():
        tmp_path.joinpath(name).parent.mkdir(exist_ok=True)
        tmp_path.joinpath(name).write_bytes(content)

    ran = [run(tmp_path, "-c", program) for program in programs(pack)]

    assert ran[0].strip() == str(built.said["sample"]["items"])
    assert [row["item"] for row in pack.table("sample")] == built.said["sample"]["items"]
    assert built.said["ledger"]["withheld"] == 1
    assert "Nobody else's business" not in pack.text("ledger/entries.jsonl")
    sums = {line[66:]: line[:64] for line in pack.text("SHA256SUMS").splitlines()}
    assert sums == {name: found for name, found in pack.sums().items() if name != "SHA256SUMS"}
    assert built.digest == sums["manifest.json"]
    tmp_path.joinpath("ledger/entries.jsonl").write_text(
        pack.text("ledger/entries.jsonl").replace("Ädler", "Adler")
    )
    assert "AssertionError" in run(tmp_path, "-c", programs(pack)[1], status=1)


def run(folder: Path, *words: str, status: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False, env={**os.environ}
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


def test_each_item_of_the_sample_has_its_whole_trail(lived: World) -> None:
    pack, _ = made(asked(lived))
    name = next(name for name in pack.files if name.startswith("sample/") and "leaver" in name)
    trail = pack.json(name)

    (plan,) = trail["plans"]
    assert trail["directory"][-1]["fields"] == {"active": [True, False]}
    assert plan["why"].startswith("Set inactive in the directory")
    assert (plan["state"], bool(plan["request_id"]), bool(plan["confirmed_at"])) == ("done", True, True)
    assert plan["job"]["digest"] == ProvisioningJob.objects.get(pk=plan["job"]["job"]).digest
    hashes = {entry["seq"]: entry["hash"] for entry in trail["ledger"]}
    assert hashes == dict(Entry.objects.filter(pk__in=hashes).values_list("seq", "hash"))


def test_what_a_period_left_open_is_told_as_it_was_then(world: World) -> None:
    """The job was approved, and its removals done, only on the day after."""
    emails = staffed(world, 12)
    world.configure(removal_limit_count=0, removal_limit_percent=0)
    say(world, emails[0], active=False)
    held = world.sync()
    world.approver()
    world.approve(held["job"])
    two_days = timedelta(days=2)
    ProvisioningJob.objects.update(
        planned_at=timezone.now() - two_days, requested_at=timezone.now() - two_days
    )
    Action.objects.update(known_at=timezone.now() - two_days)
    day = timezone.localdate() - two_days

    then, _ = made(order(world.integration, day, day, now=timezone.now()))
    now, _ = made(asked(world))

    (item,) = then.table("population")
    assert (item["state"], item["approved_by"], item["done_at"], item["confirmed_at"]) == (
        "held",
        "",
        None,
        None,
    )
    assert then.table("decisions") == []
    (item,) = now.table("population")
    assert (item["state"], item["approved_by"], bool(item["confirmed_at"])) == ("done", "alice", True)
    (breach,) = now.table("breaches")
    assert (breach["cause"], breach["gone"], breach["job"]) == ("held", True, held["job"])


def test_a_leaver_whom_no_plan_has_is_an_item_and_an_open_breach(world: World) -> None:
    emails = staffed(world, 4)
    world.sync()
    three_days = timedelta(days=3)
    say(world, emails[0], active=False)
    never = world.hire("never@example.org")
    say(world, never.email, active=False)
    for revision in Person.objects.get(email=emails[0]).revisions.all():
        revision.at -= three_days
        revision.save()
    world.integration.accounts.update(first_seen_at=timezone.now() - three_days * 2)
    world.configure(enabled=False)
    start = timezone.localdate() - three_days
    record_at(timezone.now() - three_days, Verb.CHANGED, world)

    pack, built = made(order(world.integration, start, timezone.localdate(), now=timezone.now()))

    (item,) = pack.table("population")
    assert (item["email"], item["state"], item["attempts"]) == (emails[0], "not_planned", 0)
    (breach,) = pack.table("breaches")
    assert (breach["gone"], breach["cause"]) == (False, "no_sync")
    assert built.said["population"]["reconciles"]
    assert {row["email"]: row["outcome"] for row in pack.table("departures")}["never@example.org"] == (
        "never had an account here"
    )
    assert "younger than the period" in pack.text("README.md")


def record_at(_moment: Any, verb: Verb, world: World) -> None:
    record(verb, world.integration, after={"mode": "manage"})


def test_the_command_makes_a_file_and_writes_that_down(lived: World, tmp_path: Path) -> None:
    path, today = tmp_path / "pack.zip", timezone.localdate()
    words = (
        "evidence",
        "acme",
        "--since",
        str(today),
        "--until",
        str(today),
        "--seed",
        "s1",
        "--out",
        str(path),
    )
    told, status = command(*words)

    pack = Pack(path.read_bytes())
    assert (status, told["bytes"], told["files"]) == (0, path.stat().st_size, len(pack.files))
    assert told["manifest_sha256"] == pack.sums()["manifest.json"]
    entry = Entry.objects.get(verb=Verb.EVIDENCE_MADE)
    assert entry.told()["facts"]["manifest_sha256"] == told["manifest_sha256"]
    assert entry.told()["facts"]["seed"] == "s1"
    assert EvidencePack.objects.get().digest == told["manifest_sha256"]
    assert sorted(name.name for name in tmp_path.iterdir()) == ["pack.zip"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--since", "2026-02-01", "--until", "2026-01-01"), "The period ends before it begins."),
        (("--since", "2999-02-01", "--until", "2999-02-02"), "The period has not begun yet."),
        (("--since", "2020-01-01", "--until", "2026-01-01"), "A period is 800 days long at most."),
        (("--since", "2026-01-01", "--until", "2026-01-02", "--sample", "501"), "0 to 500 items"),
        (("--since", "2026-01-01", "--until", "2026-01-02", "--through", "7"), "no entry 7"),
        (("--since", "2026-01-01", "--until", "2026-01-02", "--seed", "a\nb"), "on one line"),
        (("--since", "2026-01-01", "--until", "2026-01-02", "--out", "/nowhere/x.zip"), "no folder /nowhere"),
    ],
)
def test_a_bad_order_is_told_and_nothing_is_made(world: World, words: tuple[str, ...], said: str) -> None:
    assert said in usage_of("evidence", "Acme", *words)
    assert not EvidencePack.objects.exists()


def test_no_pack_holds_a_secret(lived: World) -> None:
    key = lived.organization.admin_key
    pack, _ = made(asked(lived))
    credential = lived.integration.credential
    hidden = [key, credential.secret.reveal(), *(user.password for user in [lived.approver("bob")])]
    assert [
        name for name, content in pack.files.items() if any(one.encode() in content for one in hidden)
    ] == []


def test_only_who_joins_moves_or_leaves_is_counted() -> None:
    assert [str(situation) for situation in COUNTED] == ["joiner", "mover", "leaver"]


def test_an_order_of_a_period_that_is_not_over_ends_where_the_ledger_ends(world: World) -> None:
    record(Verb.CHANGED, world.integration, after={"mode": "manage"})
    today = timezone.localdate()
    assert asked(world).through == Entry.objects.latest("seq").seq
    assert (
        order(
            world.integration, today - timedelta(days=2), today - timedelta(days=1), now=timezone.now()
        ).through
        is None
    )
    with pytest.raises(BadOrder):
        asked(world, sample=-1)


def test_a_pack_whose_worker_was_killed_is_made_by_another_from_the_beginning(lived: World) -> None:
    alice = lived.approver("carol")
    pack = making.ask(asked(lived), by=alice, now=timezone.now())
    dead = timezone.now() - timedelta(hours=1)
    EvidencePack.objects.filter(pk=pack.pk).update(
        state="making", holder="elsewhere/1/ab", lease_expires_at=dead
    )
    pack.pieces.create(number=0, content=b"half")

    assert making.lost(now=timezone.now()) == [pack.pk]
    making.go_on(pack.pk)
    making.go_on(pack.pk)  # its message came twice

    pack.refresh_from_db()
    unpacked = Pack(b"".join(pack.content()))
    assert (pack.state, pack.size) == ("done", len(unpacked.content))
    assert pack.digest == unpacked.sums()["manifest.json"]
    entry = Entry.objects.get(verb=Verb.EVIDENCE_MADE)
    assert (entry.actor, entry.told()["facts"]["manifest_sha256"]) == ("carol", pack.digest)


def test_a_worker_that_wakes_up_stores_nothing(lived: World) -> None:
    pack = making.ask(asked(lived), by=lived.approver("carol"), now=timezone.now())
    late = EvidencePack.objects.get(pk=pack.pk)
    assert late.claim(holder="one", now=timezone.now())
    EvidencePack.objects.filter(pk=pack.pk).update(holder="another")
    with pytest.raises(TakenOver):
        making._make(late)
    assert not late.pieces.exists()
    assert not Entry.objects.filter(verb=Verb.EVIDENCE_MADE).exists()


def test_what_retention_has_let_go_of_is_named(lived: World) -> None:
    facts = {
        "kind": "jobs",
        "number": 7,
        "before": timezone.now(),
        "file": "old.jsonl.gz",
        "sha256": "ab" * 32,
    }
    record(Verb.HISTORY_PRUNED, facts=facts)
    pack, built = made(asked(lived))
    assert [one["number"] for one in built.said["jobs"]["pruned"]] == [7]
    assert "Retention has let go of 7 jobs" in pack.text("summary.html")
