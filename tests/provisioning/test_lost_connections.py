"""The connection to the database breaks in mid-job, and the database itself is there again at once.

`tests/stack/test_outages.py` has the longer outages, with whole processes.
"""

from collections.abc import Callable

import psycopg
import pytest
from django.db import OperationalError, connection

from integrations.connectors.errands import at_home
from integrations.connectors.openai.connector import OpenAIConnector
from provisioning import applying, quarantine, reconciliation, requesting, tasks
from provisioning.models import Action
from tests.conftest import SERVICES
from tests.provisioning.test_interruptions import invited, joiners, lose
from tests.provisioning.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _on_a_server(db: None) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("needs PostgreSQL as the tests' own database; SQLite has no connection to lose")


def break_connection() -> None:
    connection.ensure_connection()
    with psycopg.connect(SERVICES.database_url, autocommit=True) as server:
        server.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid])


@pytest.mark.parametrize(
    ("owner", "call", "when"),
    [
        (OpenAIConnector, "fetch_accounts", "before"),
        (reconciliation, "store", "after"),  # inside a transaction, which would let a next query connect anew
        (OpenAIConnector, "invite", "before"),
        (OpenAIConnector, "invite", "after"),
        (applying, "verify", "after"),
        (OpenAIConnector, "fetch_events", "after"),
        (quarantine, "learn", "after"),
    ],
)
def test_a_job_whose_connection_broke_is_no_failure_and_the_next_worker_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch, owner: object, call: str, when: str
) -> None:
    joiners(world, 3)
    job = requesting.request_job(world.integration, deliver=False)
    with monkeypatch.context() as patched:
        patched.setattr(owner, call, breaking(getattr(owner, call), when))
        with pytest.raises(OperationalError):
            reconciliation.run(job.pk)
    connection.close()
    job.refresh_from_db()
    assert (job.state, job.error) == ("running", None)

    lose(job)
    reconciliation.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == ("succeeded", None)
    assert {row.state for row in job.actions.all()} == {Action.State.DONE}
    assert sorted(invited(world)) == [f"new{place}@example.org" for place in range(3)]
    assert [method for method, _ in world.writes()] == ["POST"] * 3


def breaking(really: Callable[..., object], when: str) -> Callable[..., object]:
    def called(*words: object, **named: object) -> object:
        if when == "before":
            at_home(break_connection)
        result = really(*words, **named)
        if when == "after":
            at_home(break_connection)
        return result

    return called


def test_a_worker_that_lost_the_database_gives_its_job_back_when_that_answers_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    joiners(world, 3)
    job = requesting.request_job(world.integration, deliver=False)
    delivered: list[int] = []
    monkeypatch.setattr(tasks.run_job, "delay", lambda *, job_id: delivered.append(job_id))
    with monkeypatch.context() as patched:
        patched.setattr(OpenAIConnector, "invite", breaking(OpenAIConnector.invite, "after"))
        with pytest.raises(OperationalError):
            tasks.run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, delivered) == ("queued", [job.pk])

    tasks.run_job(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == ("succeeded", None)
    assert [method for method, _ in world.writes()] == ["POST"] * 3
