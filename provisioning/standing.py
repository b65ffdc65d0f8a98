"""How integrations stand: what staff look at first, for all of them in a constant number of queries."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.fernet import InvalidToken
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast

from integrations.encryption import fernet
from integrations.models import Credential, Integration, IntegrationQuerySet
from provisioning.actions import Situation
from provisioning.models import Action, ProvisioningJob

State = ProvisioningJob.State

TROUBLE = {
    State.FAILED: "The last job failed.",
    State.REFUSED: "The last job was refused, and nothing was changed.",
    State.INCONCLUSIVE: "The last read could not be proven complete, and nothing was changed.",
    State.PARTIAL: "The last job did only a part of its plan.",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """One integration as it stands now."""

    integration: Integration
    credential: Credential | None
    last_job: ProvisioningJob | None
    last_complete: ProvisioningJob | None
    awaiting: tuple[ProvisioningJob, ...]
    problems: tuple[str, ...]
    accounts: int

    @property
    def label(self) -> str:
        if self.problems:
            return "Needs attention"
        if not self.integration.enabled:
            return "Not enabled"
        return {"observe": "Observing", "extend": "Extending", "manage": "Managing"}[self.integration.mode]

    @property
    def tone(self) -> str:
        if self.problems:
            return "danger"
        if not self.integration.enabled:
            return ""
        return "success" if self.integration.mode == Integration.Mode.MANAGE else "info"

    @property
    def live(self) -> ProvisioningJob | None:
        return self.last_job if self.last_job and self.last_job.state in ProvisioningJob.LIVE else None


def standings(integrations: Iterable[Integration] | None = None) -> list[Standing]:
    """Every integration, or these, in the order of their names: six queries, however many there are."""
    wanted: IntegrationQuerySet = Integration.objects.all()
    if integrations is not None:
        wanted = wanted.filter(pk__in=[integration.pk for integration in integrations])
    rows = list(_with_landmarks(wanted).order_by("name"))
    jobs = ProvisioningJob.objects.in_bulk(
        {pk for row in rows for pk in (row.last_job_id, row.last_ended_id, row.last_complete_id) if pk}
    )
    credentials = {
        credential.integration_id: credential
        for credential in Credential.objects.defer("secret").filter(integration__in=rows)
    }
    unreadable = _unreadable(rows)
    rule_problems = _rule_problems([row.last_ended_id for row in rows if row.last_ended_id])
    awaiting = list(awaiting_approval(rows))
    return [
        Standing(
            integration=row,
            credential=credentials.get(row.pk),
            last_job=jobs.get(row.last_job_id),
            last_complete=jobs.get(row.last_complete_id),
            awaiting=tuple(job for job in awaiting if job.integration_id == row.pk),
            problems=tuple(
                _problems(
                    row.pk in credentials,
                    row.pk in unreadable,
                    jobs.get(row.last_ended_id),
                    rule_problems.get(row.last_ended_id, 0),
                )
            ),
            accounts=row.present_accounts,
        )
        for row in rows
    ]


def standing_of(integration: Integration) -> Standing:
    return standings([integration])[0]


def awaiting_approval(integrations: Iterable[Integration] | None = None) -> Iterable[ProvisioningJob]:
    waiting = ProvisioningJob.objects.filter(state=State.AWAITING_APPROVAL).select_related("integration")
    if integrations is not None:
        waiting = waiting.filter(integration__in=integrations)
    return waiting.annotate(held=Count("actions", filter=Q(actions__state=Action.State.HELD))).order_by("-pk")


def _with_landmarks(integrations: IntegrationQuerySet) -> QuerySet[Any]:
    jobs = ProvisioningJob.objects.filter(integration=OuterRef("pk")).order_by("-pk")
    return integrations.annotate(
        last_job_id=Subquery(jobs.values("pk")[:1]),
        last_ended_id=Subquery(
            jobs.exclude(state__in=(*ProvisioningJob.LIVE, State.CANCELLED)).values("pk")[:1]
        ),
        last_complete_id=Subquery(
            jobs.filter(state__in=(State.SUCCEEDED, State.PARTIAL, State.AWAITING_APPROVAL)).values("pk")[:1]
        ),
        present_accounts=Count("accounts", filter=Q(accounts__gone_at=None)),
    )


def _unreadable(integrations: Sequence[Integration]) -> set[int]:
    """Integrations whose secret no FERNET key opens. One bad row must not hide the others."""
    stored = Credential.objects.filter(integration__in=integrations).annotate(
        token=Cast("secret", output_field=TextField())
    )
    return {pk for pk, token in stored.values_list("integration_id", "token") if not _opens(token)}


def _opens(token: str) -> bool:
    try:
        fernet().decrypt(token)
    except InvalidToken:
        return False
    return True


def _rule_problems(job_ids: Sequence[int]) -> dict[int, int]:
    found = Action.objects.filter(job__in=job_ids, situation=Situation.RULE_PROBLEM)
    return dict(found.values_list("job_id").annotate(number=Count("pk")))


def _problems(
    has_credential: bool, unreadable: bool, ended: ProvisioningJob | None, rule_problems: int
) -> Iterable[str]:
    if not has_credential:
        yield "It has no credential. Enter one with Replace credential."
    if unreadable:
        yield (
            "Its credential cannot be decrypted with the present FERNET_KEYS. "
            "Restore the key that wrote it, or enter the credential again."
        )
    if ended and ended.state in TROUBLE:
        said = ended.error or ended.refusal or {}
        yield f"{TROUBLE[State(ended.state)]} {said.get('detail', '')}".strip()
    if rule_problems == 1:
        yield "An access rule names something that cannot be managed."
    elif rule_problems:
        yield f"{rule_problems} times an access rule names something that cannot be managed."
