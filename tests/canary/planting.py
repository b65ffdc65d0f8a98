"""A leak on purpose in each kind of place: a search that finds none of them would prove nothing."""

import base64
import secrets
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import redis

from tests.canary.life import KEY, Life
from tests.canary.visiting import Visitor


@contextmanager
def leaking(life: Life) -> Iterator[None]:
    """`life` has one more secret, which stands in clear, or encoded, in every place."""
    key = life.plant("planted leak", KEY + secrets.token_urlsafe(40), KEY)
    folder = life.installation.folder
    with psycopg.connect(life.database) as connection:
        connection.execute("UPDATE integrations_integration SET name = %s WHERE name = 'Third'", [key])
    life.printed("jobs", "--json")
    for name in ("broken", "broken-debug"):
        visitor = Visitor(life.addresses[name], "admin", life.installation.password)
        answer = visitor.get("/planted/")
        life.errors.append((f"{name}: planted", answer.content))
    client = redis.Redis.from_url(life.broker)
    client.set("planted", base64.b64encode(key.encode()))
    life.redis.append(("planted", client.get("planted") or b""))  # type: ignore[arg-type]
    (folder / "planted.txt").write_text(key.encode().hex())
    with zipfile.ZipFile(folder / "pack.zip", "a") as pack:
        pack.writestr("planted.txt", key[10:30])
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", key])
    try:
        yield
    finally:
        process.kill()
        process.wait()
