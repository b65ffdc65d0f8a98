"""Whoever may says for how long what is kept; for evidence less than 400 days takes a reason and a right."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from provisioning.models import ProvisioningJob
from provisioning.retention import pruning
from provisioning.retention.models import Archive, Retention, days_of_all
from provisioning.retention.scheduled import prune_by_retention
from tests.admin.builders import staff
from tests.retention.builders import OLD, age, jobs
from tests.retention.test_needed import job

pytestmark = pytest.mark.django_db


def send(user_may: list[str], kind: str, **typed: str) -> bool:
    """Whether the form was taken."""
    user = staff("olga", "Operator")
    user.user_permissions.add(*Permission.objects.filter(codename__in=user_may))
    client = Client()
    client.force_login(user)
    row = Retention.objects.get(kind=kind)
    answer = client.post(reverse("admin:retention_retention_change", args=[row.pk]), typed)
    return answer.status_code == 302


@pytest.mark.parametrize(
    ("kind", "may", "typed", "kept"),
    [
        ("jobs", [], {"how_long": "days", "days": "800"}, 800),
        ("jobs", [], {"how_long": "ever"}, None),
        ("jobs", [], {"how_long": "days"}, "refused"),
        ("jobs", [], {"how_long": "days", "days": "399", "reason": "A law."}, "refused"),
        ("jobs", ["shorten"], {"how_long": "days", "days": "399"}, "refused"),
        ("jobs", ["shorten"], {"how_long": "days", "days": "99", "reason": "A law."}, "refused"),
        ("jobs", ["shorten"], {"how_long": "days", "days": "399", "reason": "A law."}, 399),
        ("ledger", [], {"how_long": "days", "days": "400"}, 400),
        ("sessions", [], {"how_long": "days", "days": "0"}, 0),
    ],
)
def test_what_is_typed_is_taken_or_refused(kind, may, typed, kept):
    before = days_of_all()[kind]
    assert send(may, kind, **typed) is (kept != "refused")
    assert days_of_all()[kind] == (before if kept == "refused" else kept)


def test_the_ledger_is_kept_at_least_as_long_as_the_jobs_that_it_proves():
    for days in (500, None):
        Retention.objects.filter(kind="jobs").update(days=days)
        with pytest.raises(ValidationError, match="at least as long as jobs"):
            Retention(kind="ledger", days=499).full_clean(validate_unique=False)
    Retention.objects.filter(kind="ledger").update(days=600)
    with pytest.raises(ValidationError, match="at least as long as jobs"):
        Retention(kind="jobs", days=601).full_clean(validate_unique=False)


@pytest.fixture
def two_old_jobs(world):
    """And a younger one, so that both may go."""
    for _ in range(2):
        job(world)
    age()
    job(world)
    return world


def test_without_a_folder_nothing_goes_by_itself_but_expired_sessions(two_old_jobs):
    for name, by in (("old", OLD), ("new", -OLD)):
        Session.objects.create(session_key=name, session_data="", expire_date=timezone.now() - by)
    prune_by_retention()
    assert len(jobs()) == 3
    assert [one.session_key for one in Session.objects.all()] == ["new"]


def test_the_clock_writes_one_file_a_day_and_tells_of_trouble(two_old_jobs, settings, tmp_path):
    settings.RETENTION_FOLDER = tmp_path / "nowhere"
    prune_by_retention()
    assert "There is no folder" in Archive.objects.get().note
    assert len(jobs()) == 3
    settings.RETENTION_FOLDER = tmp_path
    for _ in range(2):
        prune_by_retention()
    assert len(jobs()) == 1
    assert [one.suffix for one in tmp_path.iterdir()] == [".gz"]
    assert Archive.objects.get().state == Archive.State.DONE
    assert ProvisioningJob.objects.get()


def test_what_may_go_is_looked_for_once_a_day(world, settings, tmp_path, monkeypatch):
    settings.RETENTION_FOLDER = tmp_path
    looked = []
    monkeypatch.setattr(pruning, "prune", lambda *words: looked.append(words))
    for day in (1, 1, 2, 2):
        with time_machine.travel(datetime(2097, 3, day, 0, 30, tzinfo=UTC)):
            prune_by_retention()
    assert len(looked) == 2
