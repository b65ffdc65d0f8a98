"""An organization whose answers are rendered before anybody asks, so that serving them costs next to nothing.

`python -m tests.bench.canned MEMBERS PROJECTS` prints one JSON line when it is ready: base_url, admin_key,
and the ids of its projects. Its pages are the simulator's, and so is the answer to whatever else is asked.
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import argparse
import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from integrations.connectors.openai.simulator import Organization, endpoints
from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.refusals import Refused
from tests.bench.company import OWNER, email_of, name_of, name_of_project

Query = Mapping[str, Sequence[str]]


def organization(members: int, projects: int) -> Organization:
    """Everybody in one project, and all projects alike in size. The owner is one of the members."""
    made = Organization(owner=OWNER)
    ids = [made.add_project(name_of_project(number)).id for number in range(projects)]
    for number in range(members - 1):
        user = made.add_member(email_of(number), name=name_of(number))
        made.add_to_project(ids[number % projects], user.id)
    return made


class Canned:
    """Whole answers, with their headers, by path and query."""

    def __init__(self, of: Organization) -> None:
        self._organization = of
        self._answers: dict[tuple[str, str], bytes] = {}

    def render(self) -> None:
        """Every page that a client reads who lists everything."""
        lists = ["/v1/organization/users", "/v1/organization/invites"]
        lists += [f"/v1/organization/projects/{project.id}/users" for project in self._projects()]
        for path in lists:
            self._walk(path, {"limit": ["100"]})
        for asked in ({}, {"include_archived": ["true"]}):
            self._walk("/v1/organization/projects", {"limit": ["100"], **asked})

    def _projects(self) -> Iterator:
        return (one for one in self._organization.projects.values() if not one.is_default)

    def _walk(self, path: str, query: Query) -> None:
        after: dict[str, Sequence[str]] = {}
        while True:
            body = json.loads(self.answer("GET", path, {**query, **after}).partition(b"\r\n\r\n")[2])
            if not body["has_more"]:
                return
            after = {"after": [body["last_id"]]}

    def answer(self, method: str, path: str, query: Query) -> bytes:
        key = path, _sorted(query)
        if method != "GET" or key not in self._answers:
            self._answers[key] = self._rendered(method, path, query)
        return self._answers[key]

    def answer_to(self, target: str) -> bytes:
        """Of a GET, as it stands in the first line of a request."""
        url = urlsplit(target)
        return self.answer("GET", url.path, parse_qs(url.query))

    def _rendered(self, method: str, path: str, query: Query) -> bytes:
        try:
            body = endpoints.answer(
                self._organization, Asked(method, path, query, b"", self._organization.admin_key)
            )
            status = "200 OK"
        except Refused as refusal:
            body, status = {"error": {"message": refusal.message, "code": refusal.code}}, str(refusal.status)
        content = json.dumps(body).encode()
        head = (
            f"HTTP/1.1 {status}\r\nserver: canned\r\ncontent-type: application/json\r\n"
            f"content-length: {len(content)}\r\nx-request-id: req_{len(self._answers):032x}\r\n"
            "openai-version: 2020-10-01\r\nx-cakewalk-simulated: true\r\n\r\n"
        )
        return head.encode() + content


def _sorted(query: Query) -> str:
    return "&".join(f"{name}={value}" for name in sorted(query) for value in query[name])


class Connection(asyncio.Protocol):
    """One request after the other, each of them without a body."""

    def __init__(self, canned: Canned) -> None:
        self._canned = canned
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._transport.write(self._canned.answer_to(head.split(b" ", 2)[1].decode()))


async def serve(canned: Canned, told: dict[str, object]) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(canned), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(json.dumps({"base_url": f"http://127.0.0.1:{port}/v1", **told}), flush=True)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("members", type=int)
    parser.add_argument("projects", type=int)
    given = parser.parse_args()
    made = organization(given.members, given.projects)
    canned = Canned(made)
    canned.render()
    ids = [one.id for one in made.projects.values() if not one.is_default]
    asyncio.run(serve(canned, {"admin_key": made.admin_key, "projects": ids}))


if __name__ == "__main__":
    main()
