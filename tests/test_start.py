"""What is imported by whoever starts: nobody waits for, nor keeps in memory, what others need."""

import json
import subprocess
import sys
from collections.abc import Set
from pathlib import Path
from typing import Any

import pytest
from django.contrib import admin
from django.core.checks import Tags, run_checks
from django.core.management import get_commands, load_command_class

from cakewalk.commands import BaseCommand
from directory.models import Person

ROOT = Path(__file__).parents[1]
APPS = ("cakewalk", "directory", "integrations", "provisioning")
OF_PAGES = {
    "cakewalk.theme",
    "cakewalk.urls",
    "directory.admin",
    "integrations.admin",
    "jwt",
    "markdown_it",
    "mozilla_django_oidc",
    "provisioning.admin",
    "segno",
    "unfold.admin",
}
OF_FEW = {"celery.beat", "gunicorn", "ldap3", "openpyxl", "pydantic", "scim2_models", "waitress"}
"""Of some sources, of SCIM clients, of one file in a month, of other processes."""
OF_WORKERS = {"celery.worker.consumer", "provisioning.applying", "provisioning.reconciliation"}


def imported(code: str) -> Set[str]:
    """By a process of its own, when it has come to the end of that."""
    ends = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    run = [sys.executable, "-c", f"{code}\n{ends}"]
    done = subprocess.run(run, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return frozenset(json.loads(done.stdout.splitlines()[-1]))


def test_a_command_that_looks_imports_no_pages_and_nothing_that_workers_do() -> None:
    found = imported(
        "import sys, manage; sys.argv = ['manage.py', 'export_rules', '--help']\n"
        "try: manage.main()\nexcept SystemExit: pass"
    )
    assert "provisioning.management.commands.export_rules" in found
    assert found & (OF_PAGES | OF_FEW | OF_WORKERS) == set()


def test_a_worker_imports_its_tasks_and_no_pages() -> None:
    found = imported(
        "from cakewalk.celery import app\nimport celery.worker.consumer\n"
        "app.loader.import_default_modules(); app.finalize()"
    )
    assert found >= {"provisioning.tasks", "provisioning.reviews.tasks"} | OF_WORKERS
    assert found & (OF_PAGES | (OF_FEW - {"celery.beat"})) == set()


def test_a_web_server_has_its_pages_before_anybody_asks_for_one() -> None:
    found = imported("import cakewalk.wsgi")
    assert found >= {"cakewalk.urls", "directory.admin", "integrations.admin", "provisioning.admin"}
    assert found & (OF_FEW | {"celery.worker.consumer"}) == set()


def test_a_web_server_looks_for_garbage_among_what_it_makes_and_not_among_its_pages() -> None:
    code = "import cakewalk.wsgi, gc; print(gc.get_freeze_count(), len(gc.get_objects()))"
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    frozen, looked_through = map(int, done.stdout.split())
    assert frozen > 100_000
    assert looked_through < 1_000


def test_every_command_of_ours_begins_without_looking_at_the_pages() -> None:
    ours = {name: app for name, app in get_commands().items() if str(app).startswith(APPS)}
    others = [
        name for name, app in ours.items() if not isinstance(load_command_class(app, name), BaseCommand)
    ]
    assert len(ours) > 25
    assert others == ["makemessages"]  # Django's own, with more to it


def test_who_checks_the_settings_checks_the_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_checks(tags=[Tags.admin]) == []
    page: Any = admin.site._registry[Person]
    monkeypatch.setattr(page, "list_display", ("no such column",))
    assert [found.id for found in run_checks(tags=[Tags.admin])] == ["admin.E108"]
