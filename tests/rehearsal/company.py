"""A company whose people come, move and go all the time, as its identity provider tells Cakewalk over SCIM.

It knows the truth twice: what it was told "done" for, and what the simulated organization was asked.
"""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.refusals import Refused
from integrations.connectors.openai.simulator.server import Reply
from tests.rehearsal.production import Production, seconds_until

NAME = "Newsroom"
GROUP = "researchers"
RULES = f"""
[[rule]]
name = "Editors"
group = "editors"
role = "owner"
state = "active"

[[rule]]
name = "Everybody reads"
role = "reader"
state = "active"

[[rule]]
name = "Researchers"
group = "{GROUP}"
role = "reader"
projects = [{{ name = "Search", role = "member" }}]
state = "active"
"""
SETTINGS = ("mode=manage", "first_removals=allow", "removal_limit_count=1000", "sync_every_minutes=60")
SCIM = "application/scim+json"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
OF_GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
AGAIN_AFTER = 0.5
PATIENCE = 90.0


class Newsroom(Simulator):
    """Keeps back the answer to the next change once `stand_still()` was said; it has taken effect by then."""

    def __init__(self) -> None:
        organization = Organization(owner="editor@example.org")
        organization.add_project("Search")
        super().__init__(organization)
        self.reached, self._open, self._armed = threading.Event(), threading.Event(), False

    def stand_still(self) -> None:
        self.reached.clear()
        self._open.clear()
        self._armed = True

    def go_on(self) -> None:
        self._armed = False
        self._open.set()

    def reply_to(self, asked: Asked, headers: Mapping[str, str]) -> Reply:
        reply = super().reply_to(asked, headers)
        if self._armed and asked.method != "GET":
            self._armed = False
            self.reached.set()
            self._open.wait(30)
        return reply

    def accept_invites(self) -> None:
        with self._lock:
            for invite in list(self.organization.invites.values()):
                with suppress(Refused):  # accepted already
                    self.organization.accept_invite(invite.email)

    def member(self, email: str) -> str | None:
        with self._lock:
            user = self.organization.user_by_email(email)
            return user.id if user else None

    def researches(self, email: str) -> bool:
        with self._lock:
            user = self.organization.user_by_email(email)
            project = self.organization.find_project("Search")
            return bool(user and f"{project.id}/{user.id}" in self.organization.memberships)


@dataclass
class Somebody:
    email: str
    scim_id: str = ""
    account: str = ""
    """Their number in the organization, while they were seen there."""
    told: list[str] = field(default_factory=list)
    """joined, moved, left: what Cakewalk has answered for."""


class Company:
    """`begin()` and people come, move and go until `pause()`."""

    def __init__(self, production: Production, newsroom: Newsroom) -> None:
        self.production, self.newsroom = production, newsroom
        self.people: list[Somebody] = []
        self.refused: Counter[str] = Counter()
        """Answers that were none, by what came instead: the identity provider asks again."""
        self._session, self._reader = production.browser(), production.browser()
        self._group = ""
        self._pause = threading.Event()
        self._thread: threading.Thread | None = None

    # -- the first day

    def set_up(self, folder: Path) -> None:
        """As staff do it: a browser enters the key, commands the rest."""
        self._sign_in_and_connect()
        staff = "email,name,groups\neditor@example.org,Edith Editor,editors\n" + "".join(
            f"writer{number}@example.org,Writer {number},writers\n" for number in range(30)
        )
        for name, content in (("people.csv", staff), ("rules.toml", RULES)):
            (folder / name).write_text(content)
        run = self.production.run
        run("import_people", str(folder / "people.csv"))
        source = self.production.document("scim_source", "Directory")
        for session in (self._session, self._reader):
            session.headers.update({"Authorization": f"Bearer {source['token']}", "Content-Type": SCIM})
        group = self._told("POST", "Groups", {"schemas": [OF_GROUP], "displayName": GROUP})
        self._group = group["id"]
        settings = [word for setting in SETTINGS for word in ("--set", setting)]
        commands = [
            ["import_rules", str(folder / "rules.toml"), "--integration", NAME],
            ["configure", NAME, *settings],
            ["sync", NAME],
        ]
        in_one_process = f"from django.core.management import call_command\nfor words in {commands!r}:"
        code = f"{in_one_process} call_command(*words)"
        run("shell", "--verbosity=0", "--command", code, seconds=180)

    def _sign_in_and_connect(self) -> None:
        browser, url = self.production.browser(), self.production.url
        signed_in = _submit(
            browser, f"{url}/admin/login/", {"username": "admin", "password": self.production.password}
        )
        assert signed_in.url.rstrip("/").endswith("/admin"), signed_in.url
        typed = {
            "name": NAME,
            "base_url": self.newsroom.base_url,
            "secret": self.newsroom.organization.admin_key,
        }
        connected = _submit(browser, f"{url}/admin/integrations/connect/openai/", typed)
        assert "is enabled" in connected.text, _said(connected.text)

    # -- every day

    def begin(self) -> None:
        self._pause.clear()
        self._thread = threading.Thread(target=self._go_on, daemon=True)
        self._thread.start()

    def pause(self) -> None:
        """What was begun is told to its end: an identity provider does not forget either."""
        self._pause.set()
        if self._thread:
            self._thread.join(PATIENCE + 10)
            assert not self._thread.is_alive(), f"Cakewalk did not answer for {PATIENCE} s: {self.refused}"

    def _go_on(self) -> None:
        """Always one after the other: whoever is in moves, whoever has moved goes, and somebody comes."""
        while not self._pause.is_set():
            self.newsroom.accept_invites()
            self._join()
            for somebody in [one for one in self.people if one.told == ["joined"]][:1]:
                if account := self.newsroom.member(somebody.email):
                    somebody.account = account
                    self._move(somebody)
            for somebody in [one for one in self.people if one.told == ["joined", "moved"]][:1]:
                if self.newsroom.researches(somebody.email):
                    self._leave(somebody)
            self._pause.wait(0.3)

    def _join(self) -> None:
        somebody = Somebody(f"person{len(self.people)}@example.org")
        self.people.append(somebody)
        document = {
            "schemas": [USER],
            "userName": somebody.email,
            "active": True,
            "emails": [{"value": somebody.email, "primary": True}],
        }
        somebody.scim_id = self._told("POST", "Users", document)["id"]
        somebody.told.append("joined")

    def _move(self, somebody: Somebody) -> None:
        member = {"op": "add", "path": "members", "value": [{"value": somebody.scim_id}]}
        self._told("PATCH", f"Groups/{self._group}", {"schemas": [PATCH], "Operations": [member]})
        somebody.told.append("moved")

    def _leave(self, somebody: Somebody) -> None:
        gone = {"op": "replace", "path": "active", "value": False}
        self._told("PATCH", f"Users/{somebody.scim_id}", {"schemas": [PATCH], "Operations": [gone]})
        somebody.told.append("left")

    def _told(self, method: str, path: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Until Cakewalk says that it has it: what got no answer is asked again."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                answer = self._session.request(
                    method, f"{self.production.url}/scim/v2/{path}", data=json.dumps(document), timeout=20
                )
            except requests.RequestException as error:
                self.refused[type(error).__name__] += 1
            else:
                if answer.ok:
                    return dict(answer.json()) if answer.content else {}
                if answer.status_code == 409:  # the answer to an earlier try was lost
                    return self._found(document)
                self.refused[str(answer.status_code)] += 1
            time.sleep(AGAIN_AFTER)
        raise AssertionError(f"Cakewalk did not take {method} {path} within {PATIENCE} s: {self.refused}")

    def _found(self, document: Mapping[str, Any]) -> dict[str, Any]:
        asked = {"filter": f'userName eq "{document["userName"]}"'}
        answer = self._session.get(f"{self.production.url}/scim/v2/Users", params=asked, timeout=20)
        return dict(answer.json()["Resources"][0])

    def is_served(self) -> bool:
        """An answer that takes nginx, gunicorn and the database."""
        try:
            asked = {"count": "1"}
            url = f"{self.production.url}/scim/v2/Users"
            return self._reader.get(url, params=asked, timeout=10).status_code == 200
        except requests.RequestException:
            return False

    # -- the truth

    def told(self) -> int:
        return sum(len(somebody.told) for somebody in self.people)

    def not_done(self) -> list[str]:
        """What Cakewalk has said yes to and the organization does not show."""
        self.newsroom.accept_invites()
        return [
            f"{somebody.email} has not {somebody.told[-1]}"
            for somebody in self.people
            if somebody.told and not self._shows(somebody)
        ]

    def _shows(self, somebody: Somebody) -> bool:
        match somebody.told[-1]:
            case "joined":
                return self.newsroom.member(somebody.email) is not None
            case "moved":
                return self.newsroom.researches(somebody.email)
            case _:
                return self.newsroom.member(somebody.email) is None

    def not_once(self) -> list[str]:
        """What the organization was asked for, and did, another number of times than once."""
        asked = Counter(
            f"{one.method} {one.path} {json.dumps(one.body, sort_keys=True) if one.body else ''}".strip()
            for one in list(self.newsroom.requests)
            if one.method != "GET" and one.status == 200
        )
        expected = Counter(change for somebody in self.people for change in self._changes(somebody, asked))
        wrong = {change: number for change, number in asked.items() if number > 1}
        return [f"{change}: {number} times" for change, number in sorted(wrong.items())] + [
            f"{change}: never" for change in expected if not asked[change]
        ]

    def _changes(self, somebody: Somebody, asked: Mapping[str, int]) -> list[str]:
        found = []
        if "joined" in somebody.told:
            invites = [change for change in asked if f'"{somebody.email}"' in change]
            found += invites[:1] or [f"the invite of {somebody.email}"]
        if "moved" in somebody.told:
            grants = [change for change in asked if f'"{somebody.account}"' in change]
            found += grants[:1] or [f"the grant to {somebody.email}"]
        if "left" in somebody.told:
            found.append(f"DELETE /v1/organization/users/{somebody.account}")
        return found

    def seconds_until_in_step(self, limit: float) -> float | None:
        live = "SELECT 1 FROM provisioning_provisioningjob WHERE state IN ('queued', 'running')"
        waiting = "SELECT 1 FROM provisioning_personchange WHERE job_id IS NULL"

        def in_step() -> bool:
            if self.not_done():
                return False
            try:
                return not self.production.rows(f"{live} UNION ALL {waiting}")
            except Exception:
                return False

        return seconds_until(in_step, limit, every=0.25)


def _submit(browser: requests.Session, url: str, typed: Mapping[str, str]) -> requests.Response:
    """A form of a page, filled in and sent, as a browser does it."""
    page = browser.get(url, timeout=30)
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token, f"{page.status_code} {page.url}"
    origin = "/".join(url.split("/")[:3])
    sent = {"csrfmiddlewaretoken": token[1], **typed}
    return browser.post(
        page.url, data=sent, headers={"Referer": page.url, "Origin": origin}, timeout=60, allow_redirects=True
    )


def _said(page: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL))[-1500:]
