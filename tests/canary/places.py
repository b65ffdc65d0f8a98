"""Everything that is read after such a life, place by place."""

import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from cakewalk.encryption import fernet
from cakewalk.sealed import columns
from tests.canary.life import Life
from tests.canary.searching import Found, search
from tests.stack.installation import CODE

PRINTS = "what commands print: exports, documents, rows in a shell"
ITS_OWN = {
    ("session", "database dump"): "django_session.session_key",
    ("session", "dumpdata"): "django_session.session_key",
    ("session", PRINTS): "django_session.session_key",
}
"""Where something is as it is by Django's design, and what is told of it in docs/secrets.md."""
LIST = "/admin/integrations/integration/"
OURS = {*CODE, "canary_settings.py", "canary_urls.py", "__pycache__"}
"""Of the folder: code, and no data."""


@dataclass
class Place:
    name: str
    items: int = 0
    size: int = 0
    found: list[Found] = field(default_factory=list)
    by_design: set[str] = field(default_factory=set)


Items = Iterator[tuple[str, bytes]]


def read(life: Life, *, again: bool = False) -> list[Place]:
    """`again`: of the pages, one is enough."""
    pages = iter([("integrations", life.visitor.get(LIST).content)]) if again else _pages(life)
    return [
        _searched(life, name, items)
        for name, items in (
            ("pages, every link a superuser can follow", pages),
            ("error pages, DEBUG on and off", iter(life.errors)),
            ("logs at DEBUG, with the variables of every frame", _logs(life)),
            ("e-mails to admins about errors", _mails(life)),
            ("all that Redis was told", _monitor(life)),
            ("messages in Redis, with the worker paused", iter(life.redis)),
            ("database dump", _database(life)),
            ("dumpdata", iter([("dumpdata", life.installation.told("dumpdata").encode())])),
            (PRINTS, iter(life.prints)),
            ("evidence pack, unpacked", _pack(life)),
            ("all other files of the installation", _files(life)),
            ("list of processes", _processes()),
        )
    ]


def _searched(life: Life, name: str, items: Items) -> Place:
    place = Place(name)
    for item, content in items:
        place.items += 1
        place.size += len(content)
        for found in search(life.canaries, item, content):
            if (found.canary, name) in ITS_OWN:
                place.by_design.add(ITS_OWN[found.canary, name])
            else:
                place.found.append(found)
    return place


def _pages(life: Life) -> Items:
    yield from life.pages
    yield from life.visitor.everything()


def _logs(life: Life) -> Items:
    for file in sorted(life.installation.folder.glob("*.log")):
        if file.name != "redis-monitor.log":
            yield file.name, file.read_bytes()
    yield "standard error of commands", "\n".join(life.installation.said).encode()


def _mails(life: Life) -> Items:
    for file in (life.installation.folder / "mails").glob("*"):
        yield file.name, file.read_bytes()


def _monitor(life: Life) -> Items:
    yield "MONITOR", (life.installation.folder / "redis-monitor.log").read_bytes()


def _database(life: Life) -> Items:
    yield (
        "pg_dump",
        subprocess.run(
            ["pg_dump", life.database],  # noqa: S607
            capture_output=True,
            check=True,
        ).stdout,
    )


def _pack(life: Life) -> Items:
    with zipfile.ZipFile(life.installation.folder / "pack.zip") as pack:
        for name in pack.namelist():
            yield name, pack.read(name)


def _files(life: Life) -> Items:
    """But for its settings, which hold secrets of their own."""
    folder = life.installation.folder
    for file in sorted(folder.rglob("*")):
        top = file.relative_to(folder).parts[0]
        if file.is_file() and top not in OURS | {"mails", ".env"} and file.suffix != ".log":
            yield str(file.relative_to(folder)), file.read_bytes()


def _processes() -> Items:
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield str(entry), entry.read_bytes()
        except OSError:  # it has ended
            continue


def encrypted(life: Life) -> dict[str, list[str]]:
    """The columns in which each stored secret is found when they are decrypted."""
    texts = {canary.text: canary.name for canary in life.canaries}
    found: dict[str, list[str]] = {name: [] for name in life.stored}
    cipher = fernet(life.fernet_keys.split(","))
    with psycopg.connect(life.database) as connection:
        for column in columns():
            query = f'SELECT "{column.field.column}" FROM "{column.model._meta.db_table}"'  # noqa: S608
            for (token,) in connection.execute(query.encode()).fetchall():
                text = cipher.decrypt(token).decode() if token else ""
                for secret, name in texts.items():
                    if name in found and secret in text:
                        found[name].append(str(column))
    return found
