"""/metrics: who gets it, what is counted, and that Prometheus can read it."""

import re
import shutil
import subprocess
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from cakewalk.health import counting, metrics
from cakewalk.health.metrics import exposition
from cakewalk.health.models import Heartbeat, Part, Tally
from cakewalk.health.readiness import State
from provisioning import requesting, tallying
from provisioning.models import Action, ProvisioningJob
from tests.conftest import need
from tests.provisioning.world import World, staffed

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "scrape-me-if-you-can"


@pytest.fixture(autouse=True)
def _all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {name: State(True, "alive") for name in ("database", "migrations", "broker", *Part.values)}
    monkeypatch.setattr(metrics, "readiness", lambda: parts)


def scraped() -> dict[tuple[str, tuple[str, ...]], float]:
    """Values by the name of the sample and the values of its labels, in the order of their names."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(exposition().decode())
        for sample in family.samples
    }


# -- who gets it


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("settings", "authorization", "address", "status"),
    [
        ({}, "", "127.0.0.1", 404),
        ({"METRICS_TOKEN": TOKEN}, "", "127.0.0.1", 404),
        ({"METRICS_TOKEN": TOKEN}, "Bearer wrong", "127.0.0.1", 404),
        ({"METRICS_TOKEN": TOKEN}, f"Bearer {TOKEN}", "192.0.2.7", 200),
        ({"METRICS_TOKEN": ""}, "Bearer ", "127.0.0.1", 404),
        ({"METRICS_ALLOWED": [ip_network("10.1.0.0/16")]}, "", "10.1.2.3", 200),
        ({"METRICS_ALLOWED": [ip_network("10.1.0.0/16")]}, "", "10.2.2.3", 404),
    ],
)
def test_only_who_has_the_token_or_comes_from_an_allowed_network_gets_it(
    client: Client, settings, authorization, address, status
):
    with override_settings(**settings):
        answer = client.get("/metrics", headers={"authorization": authorization}, REMOTE_ADDR=address)
    assert answer.status_code == status
    assert (b"cakewalk_build_info" in answer.content) is (status == 200)
    assert "default-src 'none'" in answer["Content-Security-Policy"]


# -- what is counted


@pytest.mark.django_db(transaction=True)
def test_what_a_job_did_is_counted_once(world: World):
    staffed(world, 1)
    world.hire("new@example.org", "staff")
    job = ProvisioningJob.objects.get(pk=world.sync()["job"])
    later = timezone.now() + timedelta(minutes=1)

    tallying.tally(later)
    tallying.tally(later)
    tallying.tally(later + timedelta(minutes=1))

    found, name = scraped(), job.integration.name
    assert found["cakewalk_jobs_total", (name, "sync", "everyone", "succeeded", "manual")] == 1
    assert found["cakewalk_actions_total", (name, "invite", "done")] == 1
    assert found["cakewalk_job_duration_seconds_count", (name,)] == 1
    assert found["cakewalk_job_duration_seconds_bucket", (name, "+Inf")] == 1
    assert found["cakewalk_api_calls_total", (name, "POST", "200")] == 1
    assert found["cakewalk_api_calls_total", (name, "GET", "200")] >= 2
    assert found["cakewalk_last_complete_sync_timestamp_seconds", (name,)] == job.planned_at.timestamp()


@pytest.mark.django_db(transaction=True)
def test_a_counter_goes_on_when_what_it_counted_is_pruned(world: World):
    staffed(world, 1)
    world.sync()
    later = timezone.now() + timedelta(minutes=1)
    tallying.tally(later)
    before = {key: value for key, value in scraped().items() if key[0].endswith("_total")}
    ProvisioningJob.objects.all().delete()

    tallying.tally(later + timedelta(minutes=1))

    after = scraped()
    assert any(name == "cakewalk_jobs_total" for name, _ in before)
    assert {key: after[key] for key in before} == before


@pytest.mark.django_db(transaction=True)
def test_how_soon_a_leaver_was_out_is_counted(world: World):
    staffed(world, 4)
    world.sync()
    world.dismiss("p0@example.org")
    world.sync()
    action = Action.objects.get(kind="remove")
    Action.objects.filter(pk=action.pk).update(
        state="done", known_at=timezone.now() - timedelta(seconds=100), confirmed_at=timezone.now()
    )

    tallying.tally(timezone.now() + timedelta(minutes=1))

    found, name = scraped(), world.integration.name
    at_most = {
        labels[1]: value
        for (sample, labels), value in found.items()
        if sample == "cakewalk_leaver_seconds_bucket"
    }
    assert (at_most["60.0"], at_most["300.0"], at_most["+Inf"]) == (0, 1, 1)
    assert found["cakewalk_leaver_seconds_sum", (name,)] == pytest.approx(100, abs=5)


@pytest.mark.django_db(transaction=True)
def test_a_queued_job_and_its_age_are_seen(world: World):
    job = requesting.request_job(world.integration, deliver=False)
    ProvisioningJob.objects.filter(pk=job.pk).update(requested_at=timezone.now() - timedelta(seconds=500))

    found = scraped()

    assert found["cakewalk_live_jobs", ("everyone", "queued")] == 1
    assert found["cakewalk_live_jobs", ("people", "queued")] == 0
    assert found["cakewalk_oldest_queued_job_age_seconds", ("everyone",)] == pytest.approx(500, abs=10)
    assert found["cakewalk_oldest_queued_job_age_seconds", ("people",)] == 0


@pytest.mark.django_db
def test_who_is_silent_is_seen():
    Heartbeat.objects.beat([Part.CLOCK], now=timezone.now() - timedelta(seconds=300))
    assert scraped()["cakewalk_heartbeat_age_seconds", ("clock",)] == pytest.approx(300, abs=10)


@pytest.mark.django_db(transaction=True)
def test_a_failed_sign_in_is_counted(client: Client):
    for _ in range(2):
        client.post("/admin/login/", {"username": "nobody", "password": "wrong"})
    assert scraped()["cakewalk_sign_in_failures_total", ()] == 2


@pytest.mark.django_db
def test_two_who_count_at_once_lose_nothing():
    for _ in range(2):
        Tally.objects.add({("api_calls", ("Acme", "GET", "200")): 3.0})
    assert scraped()["cakewalk_api_calls_total", ("Acme", "GET", "200")] == 6


@pytest.mark.django_db
def test_what_is_counted_within_a_transaction_is_left_to_the_next():
    counting.count("api_calls", "Acme", "GET", "200")
    counting.add_up()
    assert not Tally.objects.exists()
    counting._own.counts.clear()


@pytest.mark.django_db
def test_however_much_there_is_as_many_queries_are_made(world: World):
    with CaptureQueriesContext(connection) as few:
        exposition()
    for place in range(30):
        Tally.objects.add({("jobs", (f"I{place}", "sync", "everyone", "schedule", "succeeded")): 1.0})
    with CaptureQueriesContext(connection) as many:
        exposition()
    assert len(few) == len(many) <= 25
    assert not [query for query in many if "provisioning_action" in query["sql"]]


def test_the_version_is_that_of_the_project():
    assert f'version = "{metrics.VERSION}"' in (ROOT / "pyproject.toml").read_text()


# -- Prometheus and Grafana


@pytest.fixture
def promtool() -> str:
    found = shutil.which("promtool")
    need(None if found else "needs promtool, of Debian's package prometheus")
    return str(found)


@pytest.mark.django_db(transaction=True)
def test_prometheus_reads_it_and_finds_no_fault(world: World, promtool: str):
    world.sync()
    tallying.tally(timezone.now() + timedelta(minutes=1))
    text = exposition().decode()
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_prometheus_takes_the_rules(promtool: str):
    rules = ROOT / "deploy/prometheus/alerts.yml"
    done = subprocess.run([promtool, "check", "rules", rules], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.django_db
@pytest.mark.parametrize("file", ["deploy/prometheus/alerts.yml", "deploy/grafana/cakewalk.json"])
def test_every_figure_that_is_looked_at_is_there(file: str):
    named = set(re.findall(r"\bcakewalk_\w+", (ROOT / file).read_text()))
    known = {
        name
        for family in metrics.Figures().collect()
        for name in (
            family.name,
            *(f"{family.name}{suffix}" for suffix in ("_total", "_bucket", "_sum", "_count")),
        )
    }
    assert len(named) > 8
    assert named - known == set()
