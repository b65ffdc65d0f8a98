"""A worker dies as the kernel kills it. `make soak` tries every moment, on PostgreSQL and Redis as well."""

import threading
from collections.abc import Iterator, Mapping

import pytest

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.server import Reply
from tests.killing.installations import JOBS, OnSQLite
from tests.killing.matrix import Story, problems, undisturbed
from tests.killing.moments import MOMENTS, Kill, Moment, in_the_air
from tests.stack.installation import eventually

FEW = ("during the call: invite", pytest.param("while the sweep's plan is stored", marks=pytest.mark.soak))
"""Of forty, one in the first plan and, in `.ci/run`, one in the second. `make killmatrix` tries all."""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnSQLite]:
    installation = OnSQLite(tmp_path_factory.mktemp("killed"))
    try:
        installation.start()
        yield installation
    finally:
        installation.stop()


@pytest.fixture(scope="module")
def expected(company: OnSQLite) -> Story:
    return undisturbed(company)


@pytest.mark.parametrize("step", FEW)
def test_a_worker_killed_at_any_step_loses_nothing_and_repeats_nothing(
    company: OnSQLite, expected: Story, step: str
) -> None:
    [moment] = [moment for moment in MOMENTS if moment.step == step]
    assert problems(company, moment, expected) == []


def test_a_moment_that_does_not_come_is_told_from_a_worker_that_survived_well(
    company: OnSQLite, expected: Story
) -> None:
    late = Moment("after the twelfth action", (Kill("after", "provisioning.models:Action.start", 12),))
    assert problems(company, late, expected) == [
        "The worker was not killed the 1. time: the moment did not come."
    ]


def test_a_call_that_takes_effect_only_after_the_next_worker_looked_is_refused_as_the_second(
    company: OnSQLite, expected: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can see what is still on its way. Asked twice, the organization itself does it once."""
    company.begin_again()
    arrives, on_their_way = threading.Event(), list[Asked]()
    reply_to = company.simulator.reply_to

    def late(asked: Asked, headers: Mapping[str, str]) -> Reply:
        if asked.method == "POST" and asked.path.endswith("/organization/invites") and not on_their_way:
            on_their_way.append(asked)
            arrives.wait(60)
        return reply_to(asked, headers)

    monkeypatch.setattr(company.simulator, "reply_to", late)
    assert company.be_killed(in_the_air(1))
    company.come_to_an_end()
    of_the_job = f"job_id = (SELECT MIN(id) FROM {JOBS})"  # noqa: S608
    assert company.rows(f"SELECT DISTINCT state FROM provisioning_action WHERE {of_the_job}") == [("done",)]  # noqa: S608
    assert company.rows(f"SELECT DISTINCT state FROM {JOBS}") == [("succeeded",)]  # noqa: S608
    assert len(company.writes()) == len(expected.writes)
    arrives.set()
    eventually(lambda: len(company.writes()) == len(expected.writes) + 1, 15, "The call that was on its way")
    invited = [invite.email for invite in company.simulator.organization.invites.values()]
    assert sorted(invited) == [f"{name}@example.org" for name in ("ada", "alan", "joan")]
