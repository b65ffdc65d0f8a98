"""Several actions under way at once: what may not overlap does not, and nothing is lost of what was sent."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pytest
from django.db.backends.signals import connection_created
from hypothesis import given
from hypothesis import strategies as st

from integrations.connectors import errands, width
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import RateLimit, TokenBucket
from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.limits import Limits
from integrations.connectors.openai.simulator.server import Reply
from provisioning import reconciliation, requesting
from provisioning.models import ProvisioningJob
from provisioning.turns import Line, next_line
from tests.provisioning.test_interruptions import invited, joiners
from tests.provisioning.world import BOSS, World, brief, staffed

LATENCY = 0.02


@dataclass
class Call:
    asked: Asked
    began: float
    ended: float = 0.0


@pytest.fixture
def calls(world: World, monkeypatch: pytest.MonkeyPatch) -> list[Call]:
    """All calls of the organization, each of which takes a while. A worker says each step that it takes."""
    made: list[Call] = []
    really = world.simulator.reply_to

    def reply_to(asked: Asked, headers: dict[str, str]) -> Reply:
        call = Call(asked, time.monotonic())
        made.append(call)
        time.sleep(LATENCY)
        try:
            return really(asked, headers)
        finally:
            call.ended = time.monotonic()

    monkeypatch.setattr(world.simulator, "reply_to", reply_to)
    monkeypatch.setattr(reconciliation, "RENEW_EVERY", 0.0)
    return made


def overlap(one: Call, other: Call) -> bool:
    return one is not other and one.began < other.ended and other.began < one.ended


def writes(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.asked.writes]


# -- turns

LINES = st.lists(
    st.builds(
        lambda concerns, needs, alone: (concerns, needs, alone),
        st.frozensets(st.sampled_from("abcde"), max_size=2),
        st.booleans(),
        st.integers(0, 9).map(lambda number: number == 0),
    ),
    max_size=30,
).map(
    lambda lines: [
        Line(seq, concerns, seq - 1 if needs and seq > 1 else None, alone)
        for seq, (concerns, needs, alone) in enumerate(lines, start=1)
    ]
)


@given(LINES, st.randoms(use_true_random=False), st.integers(1, 8))
def test_whatever_a_plan_is_what_depends_on_each_other_stays_in_order(
    lines: list[Line], choose: random.Random, most: int
) -> None:
    waiting, under_way, begun = list(lines), list[Line](), list[Line]()
    ended: set[int] = set()
    while waiting or under_way:
        line = next_line(waiting, under_way) if len(under_way) < most else None
        if line is None:
            assert under_way, "Nobody is under way, and nobody may begin."
            one = under_way.pop(choose.randrange(len(under_way)))
            ended.add(one.seq)
            continue
        assert line.needs is None or line.needs in ended
        assert not (line.alone or any(other.alone for other in under_way)) or not under_way
        assert not any(line.concerns & other.concerns for other in under_way)
        for other in waiting[: waiting.index(line)]:
            assert not other.alone
            assert not line.concerns & other.concerns
        waiting.remove(line)
        under_way.append(line)
        begun.append(line)
    assert sorted(line.seq for line in begun) == [line.seq for line in lines]


# -- actions

touches_database = pytest.mark.django_db(transaction=True)


@touches_database
def test_two_actions_on_one_account_never_overlap_and_others_do(world: World, calls: list[Call]) -> None:
    projects = [f"P{place}" for place in range(3)]
    for name in projects:
        world.organization.add_project(name)
    staffed(world, 8)
    world.rule("Everywhere", group="staff", **dict.fromkeys(projects, "member"))
    document = world.sync()
    assert (document["state"], document["counts"]["done"]) == ("succeeded", 8 * 3)
    granted = writes(calls)
    assert len(granted) == 8 * 3
    together = [(one, other) for one in granted for other in granted if overlap(one, other)]
    assert together
    assert not [pair for pair in together if pair[0].asked.content == pair[1].asked.content]
    whom = {id(call): call.asked.content.split(b'"user_id"')[1].split(b'"')[1] for call in granted}
    assert not [1 for one, other in together if whom[id(one)] == whom[id(other)]]


@touches_database
def test_an_owner_goes_alone(world: World, calls: list[Call]) -> None:
    emails = staffed(world, 50)
    world.configure(removal_limit_count=100, minimum_owners=1)
    owners = [f"o{place}@example.org" for place in range(2)]
    for email in owners:
        world.organization.add_member(email, "owner")
        world.hire(email, "owners")
    world.sync()
    world.dismiss(*owners, *emails[:8])
    ids = {world.organization.find_user(email).id for email in owners}
    calls.clear()
    document = world.sync()
    assert {state for _, _, state in brief(document)} == {"done"}
    takings = [call for call in calls if call.asked.method == "DELETE"]
    of_owners = [call for call in takings if call.asked.path.rpartition("/")[2] in ids]
    assert (len(takings), len(of_owners)) == (10, 2)
    assert [one for one in takings for other in takings if overlap(one, other)]
    assert not [call for call in of_owners for other in calls if overlap(call, other)]
    assert world.members() == {BOSS, *emails[8:]}


@touches_database
def test_no_thread_but_the_jobs_own_touches_the_database(world: World, calls: list[Call]) -> None:
    emails = staffed(world, 12)
    world.sync()
    world.dismiss(*emails[:3])
    joiners_of(world, 12)
    limits = {"/organization/invites": RateLimit(6, 3.0), "/organization/users": RateLimit(30, 1.0)}
    world.simulator._limits = Limits(limits)
    threads: set[threading.Thread] = set()

    def connected(**_: object) -> None:
        threads.add(threading.current_thread())

    connection_created.connect(connected)
    try:
        document = world.sync()
    finally:
        connection_created.disconnect(connected)
    assert {state for _, _, state in brief(document)} == {"done"}
    assert [one for one in writes(calls) for other in writes(calls) if overlap(one, other)]
    assert any(asked.status == 429 for asked in world.simulator.requests)
    assert threads <= {threading.current_thread()}


def joiners_of(world: World, number: int) -> None:
    world.hire_all([f"new{place}@example.org" for place in range(number)], "staff")


@touches_database
def test_a_limit_narrows_what_is_sent_at_once_and_no_action_fails(
    world: World, calls: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    staffed(world, 1)
    joiners_of(world, 16)
    world.simulator._limits = Limits({"/organization/invites": TokenBucket(per_second=4, burst=4)})
    rooms: list[tuple[int, int]] = []

    def narrowing(before: width.Width, sent_at: width.Width) -> width.Width:
        after = width.was_refused(before, sent_at)
        rooms.append((before.room, after.room))
        return after

    monkeypatch.setattr("integrations.connectors.errands.was_refused", narrowing)
    document = world.sync()
    assert (document["state"], document["counts"]["done"]) == ("succeeded", 16)
    assert len(world.organization.invites) == 16
    assert any(after == before // 2 > 0 for before, after in rooms)
    assert all(after <= before for before, after in rooms)


@touches_database
def test_an_error_of_ours_in_one_call_leaves_the_others_written_down(
    world: World, calls: list[Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    joiners(world, 12)
    really, tries = OpenAIConnector.invite, iter(range(100))

    def invite(self: OpenAIConnector, *words: object) -> object:
        return 1 / 0 if next(tries) == 6 else really(self, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(OpenAIConnector, "invite", invite)
    document = world.sync()
    assert (document["state"], document["error"]["code"]) == ("failed", "internal")
    states = [state for _, _, state in brief(document)]
    assert states.count("done") == len(invited(world)) >= 6
    assert (states.count("failed"), states.count("started")) == (1, 0)
    rest = [state for _, _, state in brief(world.sync())]
    assert (set(rest), len(invited(world))) == ({"done"}, 12)


@touches_database
def test_a_job_that_is_cancelled_while_calls_are_in_the_air_hears_them_and_sends_no_more(
    world: World, calls: list[Call]
) -> None:
    joiners(world, 20)
    job = requesting.request_job(world.integration, deliver=False)
    sent: list[int] = []

    def say(progress: str) -> None:
        if progress == "Action 10 of 20":
            sent.append(job.actions.filter(state="started").count())
            requesting.cancel(ProvisioningJob.objects.get(pk=job.pk), by=None, reason="Enough.")

    reconciliation.run(job.pk, say=say)
    job.refresh_from_db()
    states = list(job.actions.order_by("seq").values_list("state", flat=True))
    assert sent[0] > 1
    assert (job.state, states.count("done"), states.count("skipped")) == ("cancelled", 9, 11)
    assert len(invited(world)) == len(writes(calls)) == 9


class Killed(BaseException):
    pass


@contextmanager
def killed_with_in_the_air(number: int) -> Iterator[None]:
    """A worker that hears no answer more, once so many calls are sent."""
    really, sent = errands.Errands.next_back, list[errands.Errand]()

    def next_back(self: errands.Errands) -> errands.Errand:
        if len(self._under_way) < number:
            return really(self)
        while len(sent) < number:
            arrived = self._door.get()
            if isinstance(arrived, errands.Errand):
                sent.append(arrived)
            else:
                errands._carry_out(*arrived)
        raise Killed

    with pytest.MonkeyPatch.context() as patched, suppress(Killed):
        patched.setattr(errands.Errands, "next_back", next_back)
        yield


@touches_database
def test_of_four_that_a_killed_worker_left_open_the_next_one_learns_what_became_of_each(
    world: World, calls: list[Call]
) -> None:
    joiners(world, 20)
    job = requesting.request_job(world.integration, deliver=False)
    with killed_with_in_the_air(4):
        reconciliation.run(job.pk)
    job.refresh_from_db()
    left_open = sorted(job.actions.filter(state="started").values_list("email", flat=True))
    sent = len(writes(calls))
    assert (job.state, len(left_open), len(invited(world))) == ("queued", 4, sent)
    for invite in list(world.organization.invites.values()):
        if invite.email in left_open[:2]:
            del world.organization.invites[invite.id]
    world.organization.changed()
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, {row.state for row in job.actions.all()}) == ("succeeded", {"done"})
    assert sorted(invited(world)) == sorted(f"new{place}@example.org" for place in range(20))
    assert len(writes(calls)) == 20 + 2
