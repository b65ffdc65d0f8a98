"""Each fault does what its name says, to the request it was meant for, and is seen to have fired."""

import json
import time
from email.utils import parsedate_to_datetime

import pytest
import requests

from integrations.connectors.openai.simulator import Fault, Kind, Simulator
from integrations.connectors.openai.simulator.faults import BadFault, load_faults

USERS = "/organization/users"


@pytest.fixture
def people(organization):
    return [organization.add_member(f"{name}@example.org") for name in ("ada", "grace", "mary")]


@pytest.fixture
def ask(simulator):
    def ask(method, path, **options):
        headers = {"Authorization": f"Bearer {simulator.organization.admin_key}"}
        url = simulator.base_url + path
        return requests.request(method, url, headers=headers, timeout=5, allow_redirects=False, **options)

    return ask


def emails(answer) -> list[str]:
    return [row["email"] for row in answer.json()["data"]]


ALL = ["olivia@example.org", "ada@example.org", "grace@example.org", "mary@example.org"]


def test_a_fault_befalls_only_the_request_it_was_meant_for(simulator, ask, people):
    fault = Fault(Kind.SERVER_ERROR, method="GET", path=USERS, nth=2, status=503)
    simulator.inject(fault)
    asked = [ask("GET", USERS), ask("GET", "/organization/invites"), ask("GET", USERS), ask("GET", USERS)]
    assert [answer.status_code for answer in asked] == [200, 200, 503, 200]
    assert asked[2].json()["error"]["type"] == "server_error"
    assert simulator.fired == [fault]


def test_a_fault_may_befall_every_request_below_a_path(organization, people):
    fault = Fault(Kind.FORBIDDEN, path="/organization/users/*", every=True)
    headers = {"Authorization": f"Bearer {organization.admin_key}"}
    with Simulator(organization, faults=[fault]) as simulator:
        answers = [
            requests.get(f"{simulator.base_url}{USERS}{rest}", headers=headers, timeout=5).status_code
            for rest in ("", f"/{people[0].id}", f"/{people[1].id}")
        ]
        assert simulator.fired == [fault, fault]
    assert answers == [200, 403, 403]


def test_latency_and_drip_take_their_time_and_change_nothing(simulator, ask, people):
    for kind in (Kind.LATENCY, Kind.DRIP):
        simulator.inject(Fault(kind, seconds=0.3))
        started = time.monotonic()
        assert emails(ask("GET", USERS)) == ALL
        assert 0.25 < time.monotonic() - started < 2


def test_a_rate_limit_says_when_to_come_back_in_each_of_its_forms(simulator, ask):
    def limited(form):
        simulator.inject(Fault(Kind.RATE_LIMITED, seconds=30, retry_after=form))
        answer = ask("GET", USERS)
        assert answer.status_code == 429
        assert answer.json()["error"]["code"] == "rate_limit_exceeded"
        return {name: value for name, value in answer.headers.items() if name.startswith("retry-after")}

    assert limited("seconds") == {"retry-after": "30"}
    assert limited("ms") == {"retry-after-ms": "30000"}
    assert limited("none") == {}
    date = parsedate_to_datetime(limited("date")["retry-after"])
    assert 27 <= date.timestamp() - time.time() <= 31


def test_a_key_can_be_rejected_or_refused(simulator, ask):
    simulator.inject(Fault(Kind.UNAUTHORIZED))
    simulator.inject(Fault(Kind.FORBIDDEN, nth=2))
    assert [ask("GET", USERS).status_code for _ in range(3)] == [401, 403, 200]


def test_a_redirect_leads_to_another_host(simulator, ask):
    simulator.inject(Fault(Kind.REDIRECT))
    answer = ask("GET", USERS)
    assert answer.status_code == 307
    assert answer.headers["location"] == "https://elsewhere.example.org/v1/organization/users"


@pytest.mark.parametrize(
    ("kind", "took_effect"),
    [
        (Kind.RESET_BEFORE, False),
        (Kind.RESET_AFTER, True),
        (Kind.SERVER_ERROR, False),
        (Kind.SERVER_ERROR_AFTER, True),
    ],
)
def test_a_write_is_lost_before_or_after_it_took_effect(simulator, ask, people, kind, took_effect):
    simulator.inject(Fault(kind, method="DELETE"))
    is_reset = kind in (Kind.RESET_BEFORE, Kind.RESET_AFTER)
    if is_reset:
        with pytest.raises(requests.ConnectionError, match="Connection reset by peer"):
            ask("DELETE", f"{USERS}/{people[0].id}")
    else:
        assert ask("DELETE", f"{USERS}/{people[0].id}").status_code == 500
    assert (people[0].id not in simulator.organization.users) is took_effect
    assert simulator.requests[-1].status == (None if is_reset else 500)


def test_an_answer_can_be_cut_short_or_be_a_page_for_people(simulator, ask, people):
    simulator.inject(Fault(Kind.TRUNCATED))
    cut = ask("GET", USERS)
    assert cut.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        cut.json()
    simulator.inject(Fault(Kind.HTML))
    page = ask("GET", USERS)
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html")
    assert page.text.startswith("<!DOCTYPE html>")


def test_a_list_can_lie_about_its_end(simulator, ask, people):
    def page(kind, query="?limit=2"):
        simulator.inject(Fault(kind))
        answer = ask("GET", USERS + query)
        body = answer.json()
        return len(body["data"]), body["has_more"], body["last_id"]

    ids = list(simulator.organization.users)
    assert page(Kind.EMPTY) == (0, False, None)
    assert page(Kind.EMPTY_WITH_MORE) == (0, True, None)
    assert page(Kind.ENDS_EARLY) == (2, False, ids[1])
    assert page(Kind.REPEATED_CURSOR) == (2, True, ids[0])
    assert page(Kind.REPEATED_CURSOR, f"?limit=2&after={ids[1]}") == (2, True, ids[1])


def test_a_list_of_the_other_style_can_lie_too(simulator, ask, organization):
    first = organization.add_group("Platform")
    organization.add_group("Search")
    simulator.inject(Fault(Kind.REPEATED_CURSOR))
    body = ask("GET", f"/organization/groups?after={first.id}").json()
    assert (body["has_more"], body["next"]) == (True, first.id)


def test_a_list_whose_rows_have_no_id_can_lie_as_well(simulator, ask, organization):
    group, search = organization.add_group("Platform"), organization.add_project("Search")
    organization.add_group_to_project(search.id, group.id, "role-api-project-member")
    simulator.inject(Fault(Kind.REPEATED_CURSOR))
    body = ask("GET", f"/organization/projects/{search.id}/groups").json()
    assert (body["has_more"], body["next"]) == (True, group.id)


def test_a_row_can_be_repeated_or_missing(simulator, ask, people):
    simulator.inject(Fault(Kind.DUPLICATE_ROW))
    assert emails(ask("GET", USERS)) == [ALL[0], *ALL]
    simulator.inject(Fault(Kind.MISSING_ROW, email="grace@example.org"))
    assert emails(ask("GET", USERS)) == [ALL[0], ALL[1], ALL[3]]


def test_a_row_can_be_spoiled(simulator, ask, people):
    def row(kind, **picked):
        simulator.inject(Fault(kind, **picked))
        return ask("GET", USERS).json()["data"][1]

    assert row(Kind.UNKNOWN_ROLE, email="ada@example.org")["role"] == "galactic_emperor"
    spoiled = row(Kind.NULL_EMAIL, email="ada@example.org")
    assert (spoiled["email"], spoiled["user"]["email"]) == (None, None)
    nested = row(Kind.NESTED_USER)
    assert not {"id", "email", "name", "added_at"} & set(nested)
    assert nested["user"]["email"] == "ada@example.org"
    assert nested["created"] == 1_760_000_000
    assert simulator.organization.users[people[0].id].email == "ada@example.org"


def test_a_single_answer_can_be_spoiled_and_an_error_is_not(simulator, ask, people):
    simulator.inject(Fault(Kind.UNKNOWN_ROLE, path="/organization/users/*"))
    assert ask("GET", f"{USERS}/{people[0].id}").json()["role"] == "galactic_emperor"
    simulator.inject(Fault(Kind.UNKNOWN_ROLE, path="/organization/users/*"))
    assert set(ask("GET", f"{USERS}/user-none").json()) == {"error"}


def test_two_faults_can_befall_one_request(simulator, ask, people):
    simulator.inject(Fault(Kind.MISSING_ROW, email="ada@example.org"))
    simulator.inject(Fault(Kind.ENDS_EARLY))
    body = ask("GET", f"{USERS}?limit=3").json()
    assert ([row["email"] for row in body["data"]], body["has_more"]) == ([ALL[0], ALL[2]], False)


def test_faults_are_read_from_a_file(tmp_path):
    file = tmp_path / "faults.json"
    file.write_text(json.dumps([{"kind": "latency", "seconds": 2}, {"kind": "html", "every": True}]))
    assert load_faults(file) == [Fault(Kind.LATENCY, seconds=2), Fault(Kind.HTML, every=True)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as JSON"),
        ("{}", "must hold a JSON array of faults."),
        ('[{"kind": "html"}, 7]', ", entry 2: a fault is an object with a kind."),
        ('[{"kind": "boredom"}]', ", entry 1: there is no kind 'boredom'; there are latency, "),
        ('[{"kind": "html", "nht": 2}]', ", entry 1: there is no field 'nht'; there are kind, "),
        ('[{"kind": "html", "nth": "2"}]', ", entry 1: nth is '2', which is of the wrong type."),
        ('[{"kind": "html", "nth": true}]', ", entry 1: nth is True, which is of the wrong type."),
        ('[{"kind": "html", "nth": 0}]', ", entry 1: nth is 0; requests are counted from 1."),
        ('[{"kind": "html", "status": 404}]', ", entry 1: status is 404; a server error has 500 to 599."),
        (
            '[{"kind": "html", "retry_after": "soon"}]',
            ", entry 1: retry_after is 'soon'; it can be seconds, date, ms, none.",
        ),
    ],
)
def test_a_bad_file_of_faults_is_refused_by_entry(tmp_path, content, message):
    file = tmp_path / "faults.json"
    file.write_text(content)
    with pytest.raises(BadFault) as refused:
        load_faults(file)
    assert str(refused.value).startswith(str(file))
    assert message in str(refused.value)
