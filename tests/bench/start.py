"""What a start costs, beside Python, Django and Celery without us; and what memory waiting processes hold."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from itertools import cycle, islice
from pathlib import Path

import requests
from tqdm import tqdm

from tests.bench import memory
from tests.bench.installation import ROOT, Installation, Spent, installation, spent_by
from tests.bench.result import Result, Table
from tests.machine import Services
from tests.stack.conftest import own_broker, own_database
from tests.stack.installation import SingleProcess, ThreeProcesses

TRIES = 3
VIEWS = 200
PAGES = (
    "/admin/",
    "/admin/directory/person/",
    "/admin/provisioning/provisioningjob/",
    "/admin/provisioning/action/",
)
MOST_OF_BARE_DJANGO = 4.0
"""CPU of a command that only looks, beside the check of a project with nothing in it."""

HEAD = ("start of", "CPU", "most memory", "CPU beside a bare Django project")
AT_REST_HEAD = ("process", "memory", "beside bare Python")

WORKER = (
    "import celery.apps.worker, celery.worker.consumer; app.loader.import_default_modules(); app.finalize()"
)
BARE_WORKER = f"from celery import Celery; app = Celery('bare'); {WORKER}"
OUR_WORKER = f"from cakewalk.celery import app; {WORKER}"
BARE_PYTHON, BARE_DJANGO = "Python", "manage.py check of a bare Django project"


def measure() -> Result:
    with installation("SQLite") as here:
        started = {
            what: _least(words, cwd, here.environment)
            for what, words, cwd in tqdm([*_starts(here)], "start", leave=False, disable=None)
        }
    bare = started[BARE_DJANGO].cpu
    rows = [
        (what, f"{spent.cpu * 1000:.0f} ms", f"{spent.megabytes:.0f} MB", f"{spent.cpu / bare:.1f} times")
        for what, spent in started.items()
    ]
    python = started[BARE_PYTHON].megabytes
    at_rest = [(what, f"{held:.0f} MB", f"{held / python:.0f} times") for what, held in _at_rest()]
    missed = []
    if started["manage.py jobs"].cpu > MOST_OF_BARE_DJANGO * bare:
        missed.append(
            f"manage.py jobs took more than {MOST_OF_BARE_DJANGO:.0f} times a bare project's check."
        )
    return Result([Table(HEAD, rows), Table(AT_REST_HEAD, at_rest)], missed=missed)


def _starts(here: Installation) -> Iterator[tuple[str, list[str], Path]]:
    bare = here.folder / "bare"
    bare.mkdir()
    subprocess.run(
        [sys.executable, "-m", "django", "startproject", "bare", bare], check=True, env=_without_ours()
    )
    yield BARE_PYTHON, ["-c", "pass"], ROOT
    yield "import django", ["-c", "import django"], ROOT
    yield BARE_DJANGO, ["manage.py", "check", "--settings=bare.settings"], bare
    yield "a bare Celery worker's imports", ["-c", BARE_WORKER], ROOT
    for command in ("help", "jobs", "check"):
        yield f"manage.py {command}", ["manage.py", command], ROOT
    yield "a worker's imports", ["-c", OUR_WORKER], ROOT
    yield "a web server's imports", ["-c", "import cakewalk.wsgi"], ROOT


def _without_ours() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}


def _least(words: list[str], folder: Path, environment: Mapping[str, str]) -> Spent:
    """Of several: what disturbs a start only adds to it."""
    return min(
        (spent_by(words, cwd=folder, env=environment) for _ in range(TRIES)), key=lambda spent: spent.cpu
    )


def _at_rest() -> Iterator[tuple[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        single = SingleProcess(Path(folder))
        try:
            single.start()
            single.settled()
            yield "make run, after its start and first sync", memory.held_by(single.processes["serve"].pid)
            _look_around(single)
            yield f"make run, after {VIEWS} pages", memory.held_by(single.processes["serve"].pid)
        finally:
            single.stop()
    if not Services.from_environment().missing():
        yield from _at_rest_in_production()


def _at_rest_in_production() -> Iterator[tuple[str, float]]:
    with tempfile.TemporaryDirectory() as folder, own_database() as database, own_broker() as broker:
        three = ThreeProcesses(Path(folder), DATABASE_URL=database, CELERY_BROKER_URL=broker)
        try:
            three.start()
            _look_around(three)
            named = {
                "web": f"gunicorn with one worker, after {VIEWS} pages",
                "worker": f"a worker with {three.at_once} hands",
                "clock": "the clock",
            }
            for name, what in named.items():
                yield what, memory.held_by(three.processes[name].pid)
        finally:
            three.stop()


def _look_around(at: SingleProcess | ThreeProcesses) -> None:
    with requests.Session() as session:
        page = f"{at.url}/admin/login/"
        session.get(page)
        token = session.get(page).text.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        typed = {"username": "admin", "password": at.password, "csrfmiddlewaretoken": token}
        session.post(page, typed, headers={"Referer": page})
        for path in islice(cycle(PAGES), VIEWS):
            answer = session.get(f"{at.url}{path}", allow_redirects=False)
            if answer.status_code != 200:
                raise SystemExit(f"{path} answered {answer.status_code}")
