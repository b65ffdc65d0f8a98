"""What follows a raised mode, whichever command raised it: a preview of what the integration would do now."""

from django.core.management.base import OutputWrapper

from integrations.models import Integration
from provisioning import requesting


def queue_preview(integration: Integration, err: OutputWrapper) -> int | None:
    """The number of the preview; None, and why, where none could be queued."""
    try:
        job = requesting.request_job(integration, preview=True)
    except requesting.Refused as refusal:
        err.write(f"No preview was queued: {refusal}", style_func=str)
        return None
    err.write(
        f"{job}, a preview, is queued: it shows what mode {integration.mode} would do. "
        "The next sync is a full interval away.",
        style_func=str,
    )
    return job.pk
