"""What people decided on jobs in a period, with their reasons: approved, rejected, cancelled, released."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import Q

from provisioning.evidence.ordering import Order, Stand
from provisioning.models import ProvisioningJob

COLUMNS = ("at", "what", "by", "reason", "job", "of", "asked_by", "plan_digest")

State = ProvisioningJob.State


def decisions(asked: Order, told: Stand) -> Iterator[dict[str, Any]]:
    """In the order of jobs, and of each in the order of their time."""
    decided = ~Q(overrides=[]) | ~Q(releases=[]) | ~Q(approved_at=None) | ~Q(rejected_at=None)
    jobs = ProvisioningJob.objects.filter(
        decided | Q(state=State.CANCELLED),
        integration=asked.integration,
        requested_at__lt=told.ends,
    ).select_related("requested_by", "approved_by", "rejected_by", "cancelled_by")
    for job in jobs.order_by("pk").iterator(chunk_size=500):
        for row in sorted(_of(job), key=lambda row: row["at"]):
            if told.begins <= row["at"] < told.ends:
                yield row | {
                    "job": job.pk,
                    "asked_by": _name(job.requested_by) or job.trigger,
                    "plan_digest": job.digest,
                }


def _of(job: ProvisioningJob) -> Iterator[dict[str, Any]]:
    for one in job.overrides:
        yield _row(datetime.fromisoformat(one["at"]), "approved", one["by"], one["reason"], one["code"])
    if job.approved_at and not job.overrides:
        yield _row(job.approved_at, "approved", _name(job.approved_by), job.approval_reason, "")
    if job.rejected_at:
        yield _row(job.rejected_at, "rejected", _name(job.rejected_by), job.rejection_reason, "")
    elif job.state == State.CANCELLED and job.finished_at:
        what = "cancelled" if job.cancelled_by else "ended by Cakewalk"
        yield _row(job.finished_at, what, _name(job.cancelled_by), job.cancel_reason, "")
    for one in job.releases:
        yield _row(
            datetime.fromisoformat(one["at"]), "released from a worker", one["by"], one["reason"], one["from"]
        )


def _row(at: datetime, what: str, by: str, reason: str, of: str) -> dict[str, Any]:
    return {"at": at, "what": what, "by": by, "reason": reason, "of": of}


def _name(user: Any) -> str:
    return user.get_username() if user else ""
