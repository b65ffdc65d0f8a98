"""How a job ended, by what became of its actions, and the exit status that tells it."""

import pytest
from django.utils import timezone

from integrations.models import Integration
from provisioning.management.foreground import exit_status
from provisioning.models import Action, ProvisioningJob
from provisioning.reconciliation import _outcome

pytestmark = pytest.mark.django_db

REJECTED = {"code": "credential_rejected", "detail": "OpenAI does not accept the API key."}
AWAY = {"code": "unreachable", "detail": "No connection."}


@pytest.mark.parametrize(
    ("states", "trouble", "outcome", "status"),
    [
        ([], None, "succeeded", 0),
        (["done", "done"], None, "succeeded", 0),
        (["skipped"], None, "succeeded", 0),
        (["done", "skipped"], None, "succeeded", 0),
        (["held"], None, "awaiting_approval", 3),
        (["done", "held"], None, "awaiting_approval", 3),
        (["failed", "held"], None, "awaiting_approval", 3),
        (["done", "failed", "refused", "stale", "held"], None, "awaiting_approval", 3),
        (["failed"], None, "failed", 4),
        (["failed", "skipped"], None, "failed", 4),
        (["failed", "refused"], None, "failed", 4),
        (["started"], None, "failed", 4),
        (["failed", "skipped", "held"], REJECTED, "failed", 4),
        (["failed", "failed", "failed", "skipped"], AWAY, "failed", 4),
        (["skipped"], AWAY, "failed", 4),
        (["done", "failed"], None, "partial", 6),
        (["done", "started"], None, "partial", 6),
        (["done", "stale"], None, "partial", 6),
        (["done", "refused"], None, "partial", 6),
        (["refused"], None, "partial", 6),
        (["stale"], None, "partial", 6),
        (["unconfirmed"], None, "partial", 6),
        (["done", "skipped"], AWAY, "partial", 6),
    ],
)
def test_a_job_ends_as_its_actions_did(states, trouble, outcome, status):
    integration = Integration.objects.create(kind="openai", name="Acme", base_url="https://api.openai.com/v1")
    now = timezone.now()
    job = ProvisioningJob.objects.create(integration=integration, requested_at=now, state="running")
    for seq, state in enumerate(states, start=1):
        seen = None if state == "unconfirmed" else now
        became = "done" if state == "unconfirmed" else state
        Action.objects.create(
            job=job, seq=seq, kind="invite", situation="joiner", state=became, confirmed_at=seen
        )
    Action.objects.create(job=job, seq=99, kind="report", situation="orphan", state="done")
    job.state = _outcome(job, trouble)
    assert (job.state, exit_status(job)) == (outcome, status)
