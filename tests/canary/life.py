"""A whole life with planted secrets: connected, synced, failed, rotated, told, pulled, exported, broken."""

import base64
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import redis
from django.urls import reverse
from django.utils import timezone

from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.connectors.openai.simulator.refusals import KeyRejected
from tests.alarms.receiver import receiving
from tests.canary.installation import Talkative
from tests.canary.searching import Canary
from tests.canary.visiting import Visitor
from tests.environment import new_fernet_key
from tests.ldap import slapd
from tests.machine import missing_slapd
from tests.stack.conftest import own_broker, own_database
from tests.stack.installation import eventually

KEY, SIGNS = "sk-admin-", "&é+%"
PEOPLE = "email,name,groups\nada@example.org,Ada,staff\ngrace@example.org,Grace,staff\n"
RULES = '[[rule]]\nname = "All read"\nrole = "reader"\nstate = "active"\n'
ROLES = ("Auditor", "Operator", "Approver", "Reviewer", "Key holder")
STAFF = """
from cakewalk.models import User
from django.contrib.auth.models import Group
for name in %r:
    user = User.objects.create_user(name, is_staff=True, password=%r)
    user.groups.set(Group.objects.filter(name=name))
"""
REPRESENTED = """
from django.apps import apps
for model in apps.get_models():
    for row in model._base_manager.all()[:300]:
        print(repr(row), row, vars(row))
"""


def password(signs: str = SIGNS) -> str:
    """Each sign, which is written differently in addresses and pages, between letters of its own."""
    return "".join(secrets.token_hex(4) + sign for sign in signs) + secrets.token_hex(4)


@dataclass
class Life:
    """`stored`: names of canaries that must be found, encrypted, in a column."""

    installation: Talkative
    simulator: Simulator
    database: str
    broker: str
    canaries: list[Canary]
    stored: list[str] = field(default_factory=list)
    pages: list[tuple[str, bytes]] = field(default_factory=list)
    errors: list[tuple[str, bytes]] = field(default_factory=list)
    prints: list[tuple[str, bytes]] = field(default_factory=list)
    redis: list[tuple[str, bytes]] = field(default_factory=list)
    admin: Visitor | None = None
    addresses: dict[str, str] = field(default_factory=dict)
    """Of the web servers that are broken."""
    fernet_keys: str = ""

    def plant(self, name: str, text: str, public: str = "", *, stored: bool = False) -> str:
        self.canaries.append(Canary(name, text, public))
        if stored:
            self.stored.append(name)
        return text

    @property
    def visitor(self) -> Visitor:
        assert self.admin is not None
        return self.admin

    def printed(self, *words: str) -> str:
        out = self.installation.told(*words)
        self.prints.append((" ".join(words), out.encode()))
        return out

    def id_of(self, name: str) -> int:
        [(found,)] = self.installation.rows(f"SELECT id FROM integrations_integration WHERE name = '{name}'")  # noqa: S608
        return int(found)

    def press(self, name: str, button: str) -> None:
        answer = self.visitor.post(*self.page_of(name, button))
        assert answer.status_code == 200, (button, answer.status_code, answer.text[:3000])
        self.pages.append((f"{button} {name}", answer.content))

    def page_of(self, name: str, button: str) -> tuple[str, str]:
        """With the page that has the button."""
        pages = ("admin:integrations_integration_" + word for word in (button, "change"))
        sent_to, form = (reverse(page, args=[self.id_of(name)]) for page in pages)
        return sent_to, form


@contextmanager
def begun(folder: Path) -> Iterator[Life]:
    organization = Organization(owner="editor@example.org")
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator(organization))
        database, broker = stack.enter_context(own_database()), stack.enter_context(own_broker())
        life = Life(None, simulator, database, broker, [])  # type: ignore[arg-type]
        life.plant("admin key, entered on the page", organization.admin_key, KEY, stored=True)
        life.fernet_keys = f"{new_fernet_key()},{new_fernet_key()}"
        for number, key in enumerate(life.fernet_keys.split(","), start=1):
            life.plant(f"FERNET_KEYS, key {number}", key)
        life.installation = Talkative(
            folder,
            FERNET_KEYS=life.fernet_keys,
            DJANGO_SECRET_KEY=life.plant("DJANGO_SECRET_KEY", secrets.token_urlsafe(50)),
            OPENAI_ADMIN_KEY=life.plant("OPENAI_ADMIN_KEY", KEY + secrets.token_urlsafe(48), KEY),
            LEDGER_KEY=life.plant("LEDGER_KEY", base64.b64encode(secrets.token_bytes(32)).decode()),
            DATABASE_URL=with_password(database, life.plant("password in DATABASE_URL", password())),
            CELERY_BROKER_URL=with_password(broker, life.plant("password in CELERY_BROKER_URL", password())),
            EMAIL_URL=with_password(
                "smtp+tls://127.0.0.1:9", life.plant("password in EMAIL_URL", password())
            ),
            RETENTION_FOLDER=str(folder / "retention"),
        )
        (folder / "retention").mkdir()
        monitor = stack.enter_context(monitored(broker, folder / "redis-monitor.log"))
        try:
            life.installation.start()
            _live(life, stack)
            yield life
        finally:
            life.installation.stop()
            monitor.terminate()


def with_password(url: str, secret: str) -> str:
    """Where nobody needs one, any is taken."""
    parts = urlsplit(url)
    user = parts.username or "default"
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    return parts._replace(netloc=f"{user}:{quote(secret, safe='')}@{host}").geturl()


@contextmanager
def monitored(broker: str, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Everything that Redis is told, from now on."""
    parts = urlsplit(broker)
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["redis-cli", "-h", str(parts.hostname), "-p", str(parts.port or 6379), "MONITOR"],  # noqa: S607
            stdout=file,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


# -- the chapters


def _live(life: Life, stack: ExitStack) -> None:
    for chapter in CHAPTERS:
        chapter(life, stack)


def _staff_and_people(life: Life, stack: ExitStack) -> None:
    folder, installation = life.installation.folder, life.installation
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "rules.toml").write_text(RULES)
    life.plant("password of five users", text := password("&+<"))
    installation.told("shell", "--verbosity=0", stdin=STAFF % (ROLES, text))
    life.printed("import_people", "people.csv", "--json")
    life.plant("password of a user", installation.password)
    life.admin = Visitor(installation.url, "admin", installation.password)
    life.plant("session", str(life.visitor.session.cookies["sessionid"]))


def _connect(life: Life, stack: ExitStack) -> None:
    """By page and by command."""
    key = life.canaries[0].text
    typed = {"name": "Acme", "base_url": life.simulator.base_url, "secret": key}
    refused = life.visitor.post("/admin/integrations/connect/openai/", **typed | {"name": ""}, _enable="1")
    answer = life.visitor.post("/admin/integrations/connect/openai/", **typed, _enable="1")
    assert life.id_of("Acme"), answer.text[:3000]
    life.pages += [("a refused form", refused.content), ("connected", answer.content)]
    second = _another_key(life, "admin key, given to the command")
    words = ("connect", "openai", "--name", "Second", "--key-stdin", "--base-url", life.simulator.base_url)
    life.prints.append(("connect", life.installation.told(*words, stdin=second).encode()))
    life.printed("import_rules", "rules.toml", "--integration", "Acme", "--json")
    life.printed("configure", "Acme", "--set", "mode=manage", "--json")


def _another_key(life: Life, name: str, *, stored: bool = True) -> str:
    organization = life.simulator.organization
    owner = next(iter(organization.users))
    return life.plant(name, organization.create_admin_key("Another", owner).value, KEY, stored=stored)


def _sync(life: Life, stack: ExitStack) -> None:
    life.press("Acme", "sync")
    life.installation.settled()
    life.printed("sync", "Second", "--preview", "--json")


def _be_refused(life: Life, stack: ExitStack) -> None:
    """By a remote that says in its answer which key it does not know."""
    organization = life.simulator.organization
    usual = organization.authenticate

    def refusing(secret: str | None, *, scope: str) -> Any:
        raise KeyRejected(f"Incorrect API key provided: {secret}.", code="invalid_api_key")

    organization.authenticate = refusing  # type: ignore[method-assign]
    life.installation.told("sync", "Second", status=4)
    tested = life.visitor.post(
        reverse("integrations:credential", args=[life.id_of("Second")]),
        name="Second",
        base_url=life.simulator.base_url,
        secret="",
        _test="1",
    )
    life.pages.append(("a test that is refused", tested.content))
    organization.authenticate = usual  # type: ignore[method-assign]


def _rotate(life: Life, stack: ExitStack) -> None:
    """One by page, whose new key is found only by who it was made for."""
    organization = life.simulator.organization
    before = set(organization.admin_keys)
    life.press("Acme", "rotate")
    for key in set(organization.admin_keys) - before:
        life.plant("admin key, made by rotating", organization.admin_keys[key].value, KEY, stored=True)
    life.stored.remove("admin key, entered on the page")


def _ask_for_a_key(life: Life, stack: ExitStack) -> None:
    page = "/admin/integrations/connect/openai/"
    asked = {"name": "Third", "secret": "", "base_url": life.simulator.base_url, "hours": "24"}
    answer = life.visitor.post(page, **asked, _link="1")
    found = re.search(r'id="new-link"[^>]*value="([^"]+)"', answer.text)
    assert found, answer.text[:3000]
    life.plant("token of a one-time link", found[1].rpartition("#")[2])
    key = _another_key(life, "admin key, entered by a one-time link")
    holder = Visitor(life.installation.url)
    holder.post("/key/", link=found[1])  # whoever has the link gets a form that holds it
    done = holder.post("/key/", link=found[1], secret=key)
    assert life.id_of("Third"), done.text[:3000]
    life.pages.append(("a one-time link, used", done.content))


def _tell(life: Life, stack: ExitStack) -> None:
    receiver = stack.enter_context(receiving())
    path = life.plant("path of a webhook's address", secrets.token_urlsafe(24), stored=True)
    page = "/admin/alarms/channel/add/"
    typed = {"kind": "webhook", "name": "Ops", "remind_after_hours": "24"}
    answer = life.visitor.post(page, **typed, new_address=f"http://127.0.0.1:{receiver.port}/{path}")
    found = re.search(r"whsec_[A-Za-z0-9+/=]+", answer.text)
    assert found, answer.text[:5000]
    life.plant("signing secret of a webhook", found[0], "whsec_", stored=True)
    [(channel,)] = life.installation.rows("SELECT id FROM alarms_channel")
    pages = ("admin:alarms_channel_test", "admin:alarms_channel_change")
    sent_to, form = (reverse(page, args=[channel]) for page in pages)
    life.visitor.post(sent_to, form)
    eventually(lambda: receiver.received, 30, "The webhook")


def _pull(life: Life, stack: ExitStack) -> None:
    if missing_slapd():
        return
    slapd.PASSWORD = life.plant("password of an LDAP server", password("%+&"), stored=True)
    seed = [slapd.person(name) for name in ("alan", "joan")]
    server = stack.enter_context(slapd.running(life.installation.folder.parent / "slapd", seed))
    life.visitor.post(
        "/admin/directory/ldapserver/add/",
        source_name="corp",
        flavour="openldap",
        url=server.url,
        bind_dn=slapd.ADMIN,
        new_password=slapd.PASSWORD,
        base_dn=slapd.PEOPLE,
        pull_every_minutes="60",
    )
    assert '"added": 2' in life.printed("pull_source", "corp", "--json")


def _speak_scim(life: Life, stack: ExitStack) -> None:
    told = life.installation.told("scim_source", "okta", "--json")  # which prints it, this once
    found = re.search(r'"token": "([^"]+)"', told)
    assert found, told
    token = life.plant("token of a SCIM source", found[1], "cakewalk-scim-")
    for given in (token, token[:-3]):
        visitor = Visitor(life.installation.url)
        visitor.session.headers["Authorization"] = f"Bearer {given}"
        life.pages.append(("an answer over SCIM", visitor.get("/scim/v2/Users").content))


def _export(life: Life, stack: ExitStack) -> None:
    life.printed("history", "export", "--format", "json")
    life.printed("history", "verify", "--json")
    life.printed("history", "checkpoint", "--out", "checkpoint.json")
    life.printed(
        "evidence",
        "Acme",
        "--since",
        "2026-01-01",
        "--until",
        str(timezone.localdate()),
        "--out",
        "pack.zip",
        "--json",
    )
    life.printed("jobs", "--json")
    life.printed("export_rules", "--integration", "Acme")
    life.printed("rekey", "--json")
    life.prints.append(
        (
            "rows as a shell shows them",
            life.installation.told("shell", "--verbosity=0", stdin=REPRESENTED).encode(),
        )
    )


def _break(life: Life, stack: ExitStack) -> None:
    """Every call to the remote fails with an error of ours: in the web server, with DEBUG and without, and in
    a worker.
    """
    usual = life.visitor
    for name, debug in (("broken", "false"), ("broken-debug", "true")):
        url = life.installation.another_web_server(name, CANARY_BREAKS="1", DJANGO_DEBUG=debug)
        life.addresses[name] = url
        visitor = Visitor(url, "admin", life.installation.password)
        key = life.plant(f"admin key, entered where it is {name}", KEY + secrets.token_urlsafe(48), KEY)
        typed = {"name": "Broken", "base_url": life.simulator.base_url, "secret": key}
        answers = [
            visitor.post("/admin/integrations/connect/openai/", **typed, _enable="1"),
            visitor.post(
                reverse("integrations:credential", args=[life.id_of("Acme")]),
                **typed | {"name": "Acme", "secret": ""},
                _test="1",
            ),
            visitor.get("/admin/nowhere/"),
        ]
        statuses = [answer.status_code for answer in answers]
        assert statuses == [500, 500, 404], (name, statuses, answers[0].text[:1500])
        life.errors += [(f"{name}: {answer.url}", answer.content) for answer in answers]
    life.admin = usual
    life.installation.broken_worker()
    life.press("Third", "sync")
    eventually(lambda: "is not callable" in life.installation.log("worker"), 60, "The broken worker")


def _pause(life: Life, stack: ExitStack) -> None:
    """With messages that nobody takes."""
    life.installation.pause_worker()
    life.press("Second", "preview")
    time.sleep(2)
    client: Any = redis.Redis.from_url(life.broker)
    eventually(lambda: client.keys("*"), 30, "A message")
    life.redis = [(key.decode(), _value(client, key)) for key in client.keys("*")]
    life.installation.go_on_with_worker()


def _value(client: Any, key: bytes) -> bytes:
    read: dict[bytes, Callable[[], Any]] = {
        b"list": lambda: client.lrange(key, 0, -1),
        b"set": lambda: client.smembers(key),
        b"hash": lambda: client.hgetall(key),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"string": lambda: client.get(key),
    }
    return key + repr(read[client.type(key)]()).encode()


CHAPTERS = (
    _staff_and_people,
    _connect,
    _sync,
    _be_refused,
    _rotate,
    _ask_for_a_key,
    _tell,
    _pull,
    _speak_scim,
    _export,
    _break,
    _pause,
)
