"""Between a finished review and the job that carries it out: what is to be taken, and what keeps it so."""

from collections.abc import Mapping

from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from directory.snapshot import Directory
from integrations.connectors.base import Entitlement
from provisioning.actions import Situation
from provisioning.models import Action, ProvisioningJob
from provisioning.policy import Policy
from provisioning.reviews.models import Campaign, Exclusion, Item
from provisioning.reviews.revoking import Revocation, Revoker

Key = tuple[str, str, str]
"""An account, and the kind and id of what it holds; both are empty for the account itself."""


def revocations(campaign: Campaign) -> list[Revocation]:
    revoked = campaign.items.revoked().select_related("decided_by").order_by("seq")
    return [_revocation(item, campaign) for item in revoked]


def _revocation(item: Item, campaign: Campaign) -> Revocation:
    return Revocation(
        account_id=item.account_ref,
        email=item.email,
        person_id=item.person_id,
        state=item.account_state,
        role=item.account_role,
        reason=f"Revoked by {item.decided_by} in the access review {campaign.name!r}: {item.reason}",
        held=Entitlement(item.kind, item.entitlement_ref, item.entitlement_name) if item.kind else None,
        grant_role=item.role,
    )


def except_from_rules(job: ProvisioningJob, policy: Policy, directory: Directory) -> None:
    """Written with the plan, in its transaction; in force once the taking is carried out. Only of what the
    rules would give again: for all else the revocation is enough, and a later rule may well mean it.
    """
    if job.reviews is None:
        return
    people = {person.id: person for person in directory.people}
    revoker = Revoker("", policy, {}, {}, frozenset())
    reasons = {key_of(item): item.reason for item in job.reviews.items.revoked()}
    exclusions = []
    taken = job.actions.filter(situation=Situation.REVIEWED, taking=True)
    for row in taken.select_related("person").order_by("seq"):
        held = Entitlement(**row.entitlement) if row.entitlement else None
        if rules := revoker.given_by(people.get(row.person_id or 0), held):
            exclusions.append(_exclusion(row, job.reviews, rules, reasons))
    Exclusion.objects.bulk_create(exclusions, batch_size=500)
    for exclusion in exclusions:
        record(
            Verb.EXCEPTION_PLANNED,
            exclusion,
            facts={"review": job.reviews.name, "job": job.pk, "rules": exclusion.rules},
            email=exclusion.person.email,
        )


def _exclusion(
    row: Action, campaign: Campaign, rules: tuple[str, ...], reasons: Mapping[Key, str]
) -> Exclusion:
    kind, ref, name = _held(row)
    return Exclusion(
        integration_id=campaign.integration_id,
        person=row.person,
        kind=kind,
        entitlement_ref=ref,
        entitlement_name=name,
        review=campaign,
        action=row,
        rules=", ".join(rules),
        reason=reasons[row.account_id or "", kind, ref],
    )


def _held(row: Action) -> Key:
    held = row.entitlement or {"kind": "", "id": "", "name": ""}
    return held["kind"], held["id"], held["name"]


def key_of(item: Item) -> Key:
    return item.account_ref, item.kind, item.entitlement_ref


def key_of_action(row: Action) -> Key:
    kind, ref, _ = _held(row)
    return row.account_id or "", kind, ref
