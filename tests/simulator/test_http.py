"""The way OpenAI speaks: keys, errors, headers, pages and limits, on the wire."""

import http.client
import json
import socket
import threading
from urllib.parse import urlsplit

import pytest
import requests

from integrations.connectors.openai.simulator import Organization, Simulator


@pytest.fixture
def ask(simulator):
    """Sends one request and returns the answer as it came."""
    session = requests.Session()

    def ask(method, path, *, key=None, **options):
        secret = simulator.organization.admin_key if key is None else key
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        return session.request(method, simulator.base_url + path, headers=headers, timeout=5, **options)

    with session:
        yield ask


def error(answer) -> tuple[int, str, str | None]:
    body = answer.json()["error"]
    assert set(body) == {"message", "type", "param", "code"}
    return answer.status_code, body["message"], body["code"]


def test_every_answer_names_itself_a_simulation_and_carries_a_request_id(ask):
    answers = [ask("GET", "/organization/users"), ask("GET", "/nothing"), ask("GET", "/models", key="")]
    for answer in answers:
        assert answer.headers["x-cakewalk-simulated"] == "true"
        assert answer.headers["openai-version"] == "2020-10-01"
    assert len({answer.headers["x-request-id"] for answer in answers}) == 3


def test_an_unknown_path_and_a_wrong_method_are_told_apart(ask, simulator):
    assert error(ask("GET", "/nothing")) == (404, "Invalid URL (GET /v1/nothing)", "unknown_url")
    assert error(ask("PATCH", "/organization/users/user-1")) == (
        405,
        "Not allowed to PATCH on /v1/organization/users/user-1.",
        "method_not_supported",
    )
    bare = requests.get(simulator.base_url.removesuffix("/v1") + "/organization/users", timeout=5)
    assert error(bare) == (404, "Invalid URL (GET /organization/users)", "unknown_url")


def test_a_missing_or_mistyped_key_is_rejected(ask):
    status, message, code = error(ask("GET", "/organization/users", key=""))
    assert (status, code) == (401, "invalid_api_key")
    assert "didn't provide an API key" in message
    mistyped = "sk-admin-" + "x" * 40
    status, message, code = error(ask("GET", "/organization/users", key=mistyped))
    assert (status, code) == (401, "invalid_api_key")
    assert mistyped not in message


def test_a_project_key_is_told_that_it_lacks_permission(ask, organization):
    assert organization.project_key.startswith("sk-proj-")
    status, message, _ = error(ask("GET", "/organization/users", key=organization.project_key))
    assert status == 401
    assert "insufficient permissions" in message


def test_a_read_only_key_reads_and_cannot_write(ask, organization):
    key = organization.read_only_key
    assert ask("GET", "/organization/users", key=key).status_code == 200
    body = {"email": "ada@example.org", "role": "reader"}
    status, message, _ = error(ask("POST", "/organization/invites", key=key, json=body))
    assert status == 403
    assert "api.management.write" in message
    assert organization.invites == {}


def test_a_revoked_and_an_expired_key_stop_working(ask, organization, clock):
    made = ask("POST", "/organization/admin_api_keys", json={"name": "a", "expires_in_seconds": 60}).json()
    assert ask("GET", "/organization/users", key=made["value"]).status_code == 200
    clock.now += 60
    assert error(ask("GET", "/organization/users", key=made["value"]))[0] == 401

    made = ask("POST", "/organization/admin_api_keys", json={"name": "b"}).json()
    ask("DELETE", f"/organization/admin_api_keys/{made['id']}")
    assert error(ask("GET", "/organization/users", key=made["value"]))[0] == 401


def test_a_key_dies_with_its_owner_and_sleeps_while_the_owner_is_demoted(ask, organization):
    organization.add_member("otto@example.org", "owner")
    olivia = organization.find_user("olivia@example.org")
    organization.set_organization_role(olivia.id, "reader")
    assert error(ask("GET", "/organization/users"))[0] == 401
    organization.set_organization_role(olivia.id, "owner")
    assert ask("DELETE", f"/organization/users/{olivia.id}").status_code == 200
    assert error(ask("GET", "/organization/users"))[0] == 401


def test_a_list_shows_twenty_rows_unless_asked_and_says_where_to_go_on(ask, organization):
    for number in range(24):
        organization.add_member(f"person{number}@example.org")
    first = ask("GET", "/organization/users").json()
    rest = ask("GET", f"/organization/users?after={first['last_id']}").json()
    ids = list(organization.users)
    assert [row["id"] for row in first["data"]] == ids[:20]
    assert (first["first_id"], first["last_id"], first["has_more"]) == (ids[0], ids[19], True)
    assert [row["id"] for row in rest["data"]] == ids[20:]
    assert rest["has_more"] is False


def test_a_page_that_ends_with_the_last_row_has_no_more(ask, organization):
    organization.add_member("ada@example.org")
    assert ask("GET", "/organization/users?limit=2").json()["has_more"] is False
    assert ask("GET", "/organization/users?limit=1").json()["has_more"] is True


def test_an_empty_list_has_neither_first_nor_last(ask):
    assert ask("GET", "/organization/invites").json() == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


@pytest.mark.parametrize("path", ["users", "invites", "projects", "admin_api_keys"])
@pytest.mark.parametrize("limit", ["101", "0", "-1", "many"])
def test_a_limit_out_of_range_is_refused(ask, path, limit):
    assert error(ask("GET", f"/organization/{path}?limit={limit}")) == (
        400,
        f"Invalid 'limit': '{limit}'. Expected 1 to 100.",
        None,
    )


def test_a_cursor_that_names_nobody_is_refused(ask, organization):
    ada = organization.add_member("ada@example.org")
    organization.remove_user(ada.id)
    for cursor in ("user-none", ada.id):
        status, message, _ = error(ask("GET", f"/organization/users?after={cursor}"))
        assert (status, message) == (400, f"Invalid 'after' cursor: '{cursor}' was not found.")


def test_groups_page_by_next_and_a_page_of_thousand_is_allowed(ask, organization):
    ids = [organization.add_group(f"Team {number}").id for number in range(3)]
    first = ask("GET", "/organization/groups?limit=2").json()
    assert set(first) == {"object", "data", "has_more", "next"}
    assert (first["has_more"], first["next"]) == (True, ids[1])
    rest = ask("GET", f"/organization/groups?limit=1000&after={first['next']}").json()
    assert ([row["id"] for row in rest["data"]], rest["has_more"], rest["next"]) == ([ids[2]], False, None)
    newest = ask("GET", "/organization/groups?limit=2&order=desc").json()
    assert ([row["id"] for row in newest["data"]], newest["next"]) == ([ids[2], ids[1]], ids[1])
    oldest = ask("GET", f"/organization/groups?order=desc&after={ids[1]}").json()
    assert ([row["id"] for row in oldest["data"]], oldest["has_more"]) == ([ids[0]], False)
    assert error(ask("GET", "/organization/groups?limit=1001"))[0] == 400


def test_a_body_that_is_no_json_object_is_refused(ask):
    for content in (b"{", b"[]", b"\xff"):
        status, message, _ = error(ask("POST", "/organization/invites", data=content))
        assert status == 400
        assert "could not parse the JSON body" in message


def test_what_is_no_http_is_refused_in_the_same_form(simulator):
    host = simulator.base_url.split("/")[2]
    connection = http.client.HTTPConnection(host, timeout=5)
    # The headers alone: the answer comes before a body could be read, which closes the connection.
    connection.putrequest("POST", "/v1/organization/invites")
    connection.putheader("transfer-encoding", "chunked")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 400
    assert answer.headers["x-cakewalk-simulated"] == "true"
    assert b'"error"' in answer.read()
    connection.close()


def test_a_request_whose_sender_is_gone_before_its_end_was_never_made(simulator):
    """As of a worker that is killed while it sends."""
    host, port = urlsplit(simulator.base_url).netloc.split(":")
    body = json.dumps({"email": "a@example.org", "role": "reader"}).encode()
    head = (
        f"POST /v1/organization/invites HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n"
        f"Authorization: Bearer {simulator.organization.admin_key}\r\n\r\n"
    ).encode()
    for sent in (head, head + body[:-1]):
        with socket.create_connection((host, int(port)), timeout=5) as line:
            line.sendall(sent)
            line.shutdown(socket.SHUT_WR)
            assert line.recv(1000) == b""
    assert simulator.requests == []
    assert simulator.organization.invites == {}


def test_one_connection_serves_many_requests(simulator):
    connection = http.client.HTTPConnection(simulator.base_url.split("/")[2], timeout=5)
    sockets = set()
    for _ in range(3):
        connection.request("GET", "/v1/organization/users")
        connection.getresponse().read()
        sockets.add(connection.sock)
    assert len(sockets) == 1
    assert sockets != {None}
    connection.close()


def test_what_was_asked_is_recorded_without_the_key(ask, simulator):
    body = {"email": "ada@example.org", "role": "reader", "projects": []}
    ask("POST", "/organization/invites?note=a", json=body)
    (recorded,) = simulator.requests
    assert (recorded.method, recorded.path, recorded.query, recorded.body, recorded.status) == (
        "POST",
        "/v1/organization/invites",
        {"note": ["a"]},
        body,
        200,
    )
    assert recorded.headers["content-type"] == "application/json"
    assert simulator.organization.admin_key not in repr(recorded)


def test_too_many_requests_in_a_minute_are_told_when_to_come_back(organization):
    with Simulator(organization, rate_limit=2) as simulator:
        headers = {"Authorization": f"Bearer {organization.admin_key}"}
        answers = [
            requests.get(f"{simulator.base_url}/organization/users", headers=headers, timeout=5)
            for _ in range(3)
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert error(answers[2])[2] == "rate_limit_exceeded"
    assert 50 <= int(answers[2].headers["retry-after"]) <= 60


def test_many_clients_at_once_each_get_their_member_in_exactly_once(organization):
    search = organization.add_project("Search")
    people = [organization.add_member(f"person{number}@example.org").id for number in range(20)]
    statuses: list[int] = []

    def add_everyone(base_url: str) -> None:
        headers = {"Authorization": f"Bearer {organization.admin_key}"}
        with requests.Session() as session:
            for user_id in people:
                url = f"{base_url}/organization/projects/{search.id}/users"
                body = {"user_id": user_id, "role": "member"}
                statuses.append(session.post(url, headers=headers, json=body, timeout=5).status_code)

    with Simulator(organization) as simulator:
        threads = [threading.Thread(target=add_everyone, args=(simulator.base_url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert len(simulator.requests) == 80
    assert sorted(statuses) == [200] * 20 + [400] * 60
    assert len(organization.members_of(search.id)) == 21


def test_a_large_organization_is_read_whole_page_by_page():
    organization = Organization.seeded(people=20_000, projects=0, seed=1)
    with Simulator(organization) as simulator, requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {organization.admin_key}"
        seen, cursor, has_more = set(), None, True
        while has_more:
            query = {"limit": 100} | ({"after": cursor} if cursor else {})
            page = session.get(f"{simulator.base_url}/organization/users", params=query, timeout=5).json()
            seen |= {row["id"] for row in page["data"]}
            cursor, has_more = page["last_id"], page["has_more"]
        assert len(simulator.requests) == 200
    assert seen == set(organization.users)
