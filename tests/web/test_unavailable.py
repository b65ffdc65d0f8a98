"""Pages of a server whose database is gone."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOBODY_LISTENS = "postgres://cakewalk:s3cret@127.0.0.1:1/cakewalk"
ASKED = """
import json
from django.test import Client
client = Client(raise_request_exception=False, headers={"host": "localhost"})
client.cookies["sessionid"] = "of somebody who is signed in"
answer = client.get("/admin/")
print(json.dumps([answer.status_code, answer.headers.get("Retry-After"), answer.content.decode()]))
"""


def test_a_page_says_that_the_database_is_away_and_nothing_of_where_it_is() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "--command", ASKED],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": NOBODY_LISTENS, "DJANGO_DEBUG": "False"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    status, retry_after, page = json.loads(done.stdout.splitlines()[-1])
    assert (status, retry_after) == (503, "30")
    assert "The database does not answer" in page
    assert not any(told in page for told in ("s3cret", "127.0.0.1", "Traceback", "psycopg"))
