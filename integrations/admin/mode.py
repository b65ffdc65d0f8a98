"""Another mode for an integration: what it would do is shown before anybody switches to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from integrations.configuring import configure
from integrations.models import Integration
from provisioning import history, summary
from provisioning.models import PersonChange, ProvisioningJob

State = ProvisioningJob.State


@dataclass(frozen=True, slots=True)
class Considered:
    """A mode that somebody thinks of. `preview`: the last one of what that mode would do.

    `says`: what it showed. `held`: what would wait for an approver at first. `ahead`: the job that must end
    before a preview can start. `outdated`: why the preview may tell less than the truth by now.
    """

    integration: Integration
    mode: str
    raises: bool
    preview: ProvisioningJob | None
    says: Sequence[str]
    held: Sequence[str]
    ahead: ProvisioningJob | None
    outdated: str
    next_sync_at: datetime

    @property
    def is_there_already(self) -> bool:
        return self.mode == self.integration.mode

    @property
    def is_awaited(self) -> bool:
        return self.preview is not None and self.preview.state in ProvisioningJob.LIVE

    @property
    def is_shown(self) -> bool:
        """Whether the preview came to its end, so that it is known what the mode would do."""
        return self.preview is not None and self.preview.state in (State.SUCCEEDED, State.REFUSED)

    @property
    def trouble(self) -> str:
        """What became of a preview that shows nothing."""
        if self.preview is None or self.is_awaited or self.is_shown:
            return ""
        said = self.preview.error or self.preview.refusal or {}
        return said.get("detail") or self.preview.cancel_reason


def consider(integration: Integration, mode: str, *, now: datetime) -> Considered:
    previews = integration.jobs.filter(preview=True, mode=mode, scope=ProvisioningJob.Scope.EVERYONE)
    preview = previews.select_related("integration").order_by("-pk").first()
    shown = preview is not None and preview.state == State.SUCCEEDED
    live = integration.jobs.live().filter(scope=ProvisioningJob.Scope.EVERYONE).first()
    order = list(Integration.Mode)
    return Considered(
        integration=integration,
        mode=mode,
        raises=order.index(Integration.Mode(mode)) > order.index(Integration.Mode(integration.mode)),
        preview=preview,
        says=summary.sentences(history.counted(preview), mode) if preview and shown else (),
        held=[f"{hold['detail'].rstrip('.')}." for hold in preview.holds] if preview and shown else (),
        ahead=live if live != preview else None,
        outdated=_outdated(preview) if preview and preview.planned_at else "",
        next_sync_at=now + integration.interval,
    )


def _outdated(preview: ProvisioningJob) -> str:
    """A later plan that is the same line by line says that the preview still holds."""
    jobs = preview.integration.jobs.filter(pk__gt=preview.pk, planned_at__isnull=False)
    whole = jobs.following_rules().filter(scope=ProvisioningJob.Scope.EVERYONE)
    later = whole.order_by("-pk").first()
    if later and later.digest != preview.digest:
        return _("%(job)s, which came later, plans something else.") % {"job": later}
    about_people = jobs.filter(pk__gt=(later or preview).pk, trigger=ProvisioningJob.Trigger.DIRECTORY)
    waiting = PersonChange.objects.waiting().filter(integration=preview.integration)
    if preview.integration.change_waits or waiting.exists() or about_people.exists():
        return _("The directory or an access rule has changed since it was made.")
    return ""


def switch(integration: Integration, mode: str, *, now: datetime) -> None:
    """Set the mode. With one that goes further, what was seen before is kept."""
    seen = consider(integration, mode, now=now)
    shown_by = f"Job {seen.preview.pk}" if seen.preview and seen.is_shown else "no preview"
    facts = {"shown_before_by": shown_by} if seen.raises else None
    configure(integration, {"mode": mode}, now=now, facts=facts)
