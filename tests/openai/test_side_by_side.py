"""Calls that wait beside each other: the next page, the lists of projects, and what goes wrong in one."""

import threading
import time as real_time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from integrations.connectors.base import Account, PermissionMissing, RemoteUnreachable
from integrations.connectors.errands import Abandoned, Errands, at_home
from integrations.connectors.openai import quick
from integrations.connectors.openai.connector import OpenAIConnector
from integrations.connectors.openai.simulator import Fault, Kind, Organization, Simulator
from integrations.connectors.width import MOST, Width, was_refused, went_well


def eventually(true: Callable[[], bool]) -> bool:
    until = real_time.monotonic() + 5
    while not true() and real_time.monotonic() < until:
        real_time.sleep(0.005)
    return true()


# -- pages


def test_the_next_page_is_on_its_way_while_rows_are_made_sense_of(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in range(150):
        organization.add_member(f"p{place}@example.org")
    really, ahead = quick.USERS.value, list[bool]()

    def value(row: quick.User, id: str) -> Account:
        if not ahead:
            ahead.append(eventually(lambda: len(serving.requests) == 3))
        return really(row, id)

    monkeypatch.setattr(quick.USERS, "value", value)
    with Simulator(organization) as serving:
        connector = OpenAIConnector(secret=organization.admin_key, base_url=serving.base_url)
        assert len(connector.fetch_accounts()) == 151
    assert (ahead, len(serving.requests), connector.calls) == ([True], 3, 3)


# -- the lists of projects


PROJECTS = 20


@pytest.fixture
def departments(organization: Organization) -> Organization:
    organization.add_member("ada@example.org")
    for place in range(PROJECTS):
        organization.add_project(f"P{place}")
        organization.add_to_project(f"P{place}", "ada@example.org")
    return organization


@pytest.fixture
def simulator(departments: Organization) -> Iterator[Simulator]:
    with Simulator(departments, latency=0.1) as simulator:
        yield simulator


def test_the_lists_of_projects_are_read_side_by_side_and_proven_in_their_order(
    departments: Organization, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, most = [0], [0]
    really = simulator._delay

    def delay(faults: list[Fault]) -> None:
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        really(faults)
        at_once[0] -= 1

    monkeypatch.setattr(simulator, "_delay", delay)
    said = list[tuple[str, threading.Thread]]()
    connector = OpenAIConnector(
        secret=departments.admin_key,
        base_url=simulator.base_url,
        progress=lambda text: said.append((text, threading.current_thread())),
    )
    projects = [one for one in connector.fetch_entitlements(["project"]) if not one.unmanageable]
    grants = connector.fetch_grants(projects, [])
    ada = departments.find_user("ada@example.org").id
    assert [grant.id for grant in grants[ada]] == [project.id for project in projects]
    names = [f"users in the project {project.name}" for project in projects]
    assert [listing.name for listing in connector.listings][1:] == names
    assert (connector.calls, len(simulator.requests)) == (PROJECTS + 1, PROJECTS + 1)
    assert 4 <= most[0] <= MOST
    assert {thread for _, thread in said} == {threading.current_thread()}


def test_what_goes_wrong_in_one_list_is_what_the_read_ends_with(
    departments: Organization, simulator: Simulator
) -> None:
    simulator.inject(Fault(Kind.FORBIDDEN, path="/organization/projects/*/users", nth=7))
    connector = OpenAIConnector(secret=departments.admin_key, base_url=simulator.base_url)
    projects = connector.fetch_entitlements(["project"])
    with pytest.raises(PermissionMissing):
        connector.fetch_grants([one for one in projects if not one.unmanageable], [])


class Lost(Exception):
    pass


def test_a_job_that_is_lost_stops_all_that_is_under_way(
    departments: Organization, simulator: Simulator
) -> None:
    def progress(text: str) -> None:
        if "users in the project" in text:
            raise Lost

    connector = OpenAIConnector(secret=departments.admin_key, base_url=simulator.base_url, progress=progress)
    projects = [one for one in connector.fetch_entitlements(["project"]) if not one.unmanageable]
    with pytest.raises(Lost):
        connector.fetch_grants(projects, [])
    assert eventually(lambda: "aside" not in {thread.name for thread in threading.enumerate()})
    assert len(simulator.requests) <= 1 + MOST


# -- errands


def test_what_an_errand_asks_for_is_done_at_home_and_its_error_is_its_own() -> None:
    home = threading.current_thread()
    with Errands() as errands:
        asked = errands.send("", lambda: at_home(threading.current_thread))
        assert errands.next_back() is asked
        assert asked.outcome.result() is home

        def refused() -> None:
            raise RemoteUnreachable("No.")

        errand = errands.send("", lambda: at_home(refused))
        errands.next_back()
        with pytest.raises(RemoteUnreachable):
            errand.outcome.result()


def test_an_errand_that_comes_home_too_late_ends() -> None:
    let_go, heard = threading.Event(), list[str]()

    def late() -> None:
        let_go.wait(5)
        try:
            at_home(lambda: heard.append("done"))
        except Abandoned:
            heard.append("abandoned")

    with suppress(Lost), Errands() as errands:
        errands.send("", late)
        raise Lost
    let_go.set()
    assert eventually(lambda: heard == ["abandoned"])


def test_calls_widen_one_by_one_and_narrow_by_half_once_for_those_that_went_together() -> None:
    width = Width()
    rooms = []
    for _ in range(1 + 2 + 3):
        width = went_well(width, width)
        rooms.append(width.room)
    assert rooms[0] == 2
    assert 3 <= rooms[-1] <= 4
    for _ in range(200):
        width = went_well(width, width)
    assert width.room == MOST
    sent_together = width
    for _ in range(MOST):
        width = was_refused(width, sent_together)
    assert width.room == MOST // 2
    assert went_well(width, sent_together) == width
    for _ in range(9):
        width = was_refused(width, width)
    assert width.room == 1
