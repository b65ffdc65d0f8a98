"""The runbook has a section for each sign of trouble, and for nothing that is none."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone

from cakewalk.documents.library import documents
from cakewalk.health.models import Heartbeat, Part
from cakewalk.health.readiness import LOOKS
from provisioning.advice import ADVICE
from provisioning.alarms.causes import Cause
from provisioning.alarms.models import Alarm
from provisioning.alarms.wording import anchor_of
from provisioning.models import ProvisioningJob
from tests.alarms.builders import alarms, look

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/runbook.md").read_text()


def sections(chapter: str) -> list[str]:
    """The titles of a chapter's sections."""
    return re.findall(r"^### (.+)$", TEXT.partition(f"## {chapter}\n")[2].partition("\n## ")[0], re.MULTILINE)


def test_each_cause_of_an_alarm_has_its_section():
    assert sections("Alarms") == [str(cause.label) for cause in Alarm.Cause]
    assert [str(cause) for cause in Cause] == [str(cause) for cause in Alarm.Cause]


def test_the_page_of_each_alarm_leads_to_its_section():
    anchors = {section.anchor for section in documents()["runbook"].sections}
    assert {anchor_of(cause) for cause in Cause} <= anchors


def test_each_part_of_readiness_has_its_section():
    assert set(sections("Not ready")) == {f"Part {name}" for look in LOOKS for name in look.names}


def test_each_rule_of_prometheus_has_its_section():
    rules = (ROOT / "deploy/prometheus/alerts.yml").read_text()
    named = re.findall(r"alert: (\w+)", rules)
    assert sections("Rules of Prometheus") == named
    assert re.findall(r"runbook: docs/runbook\.md#(\w+)", rules) == [name.lower() for name in named]


def test_each_end_of_a_job_and_each_code_is_told():
    told = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    ends = set(ProvisioningJob.State.values) - set(ProvisioningJob.LIVE)
    assert told == ends | set(ADVICE)


# -- who is silent


@pytest.mark.django_db
def test_a_part_that_is_silent_is_told_by_whichever_lives_and_so_is_its_return():
    now = timezone.now()
    Heartbeat.objects.beat([Part.WORKER, Part.PEOPLE_WORKER], now=now)
    Heartbeat.objects.beat([Part.CLOCK], now=now - timedelta(minutes=4))
    look()
    assert alarms() == []

    Heartbeat.objects.beat([Part.CLOCK], now=now - timedelta(minutes=6))
    look()
    assert alarms() == [("part_silent", "Clock: silent", True)]

    Heartbeat.objects.beat(list(Part), now=now + timedelta(minutes=30))
    look(timedelta(minutes=15))
    look(timedelta(minutes=30))
    assert alarms() == [("part_silent", "Clock: silent", False)]


@pytest.mark.django_db
def test_what_was_never_there_is_not_missed():
    look()
    assert alarms() == []


@pytest.mark.django_db
def test_the_home_page_tells_it_where_nobody_else_can(admin_client: Client):
    assert "nothing was heard from it" not in admin_client.get("/admin/").content.decode()
    Heartbeat.objects.beat([Part.WORKER], now=timezone.now() - timedelta(minutes=6))
    page = admin_client.get("/admin/").content.decode()
    assert "Worker: nothing was heard from it since" in page
    assert "/docs/runbook#clock-or-worker-silent" in page
