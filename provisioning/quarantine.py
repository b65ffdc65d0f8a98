"""What an integration's schedule learns from a job: to slow down, to pause for another key, to recover."""

from datetime import datetime

from cakewalk.encryption import DecryptionError
from integrations.connectors.base import ConnectorError, CredentialRejected
from integrations.models import Credential, CredentialMissing, Integration
from provisioning import credentials
from provisioning.lessons import Lesson, lesson_of
from provisioning.models import Action, ProvisioningJob


def is_rejected(job: ProvisioningJob) -> bool:
    """A second look after a 401, which may have been one bad answer among good ones: whether the remote now
    says no to the stored key wherever it is asked. What cannot be asked is not rejected.
    """
    try:
        return job.integration.connector(use=f"Job {job.pk}, a second look at its key").check().rejected
    except CredentialRejected:
        return True
    except (ConnectorError, CredentialMissing, DecryptionError):
        return False


def learn(job: ProvisioningJob, *, rejected_at: datetime | None, now: datetime) -> None:
    """To be called with the end of the job, in one transaction. `rejected_at`: when its key was refused."""
    integration = Integration.objects.lock(job.integration_id)
    match lesson_of(job.state, job.error, preview=job.preview, lacks_rights=_lacks_rights(job)):
        case Lesson.WORKS:
            integration.record_success(now=now)
        case Lesson.FAILS:
            integration.record_failure(changed=_looks_at_everyone_for_a_change(job), now=now)
    credentials.learn_to_write(job, now=now)
    if rejected_at and not _has_another_key(integration, since=rejected_at):
        integration.pause(now=now)


def _looks_at_everyone_for_a_change(job: ProvisioningJob) -> bool:
    """People who wait for a job of their own are no reason to look at everyone."""
    return job.about_everyone and job.trigger == ProvisioningJob.Trigger.DIRECTORY


def _lacks_rights(job: ProvisioningJob) -> bool:
    """Whether nothing was done, and whatever was tried lacked permission: a key that may only read."""
    if job.state != ProvisioningJob.State.FAILED:
        return False
    failed = job.actions.filter(state=Action.State.FAILED)
    return set(failed.values_list("error__code", flat=True)) == {"permission_missing"}


def _has_another_key(integration: Integration, *, since: datetime) -> bool:
    """Whether somebody entered a key, or tried the stored one with success, while the job was at work."""
    newer = Credential.objects.filter(integration=integration)
    return newer.filter(entered_at__gt=since).exists() or newer.filter(checked_at__gt=since).exists()
