"""After a removal: what the account leaves behind is listed, and revoked or reported as the settings say.

It follows the removal, which must not wait for it, and has a plan of its own: further lines of the same job,
stored before the first call. An account that could not be swept is swept by the next job. It reads all keys
there are, so that the list of keys that people see is as new.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from django.utils import timezone

from cakewalk.ledger.recording import together
from cakewalk.ledger.verbs import Verb
from integrations.connectors.base import (
    Connector,
    ConnectorError,
    CredentialRejected,
    Entitlement,
    Key,
    Residue,
    Unattended,
)
from integrations.models import Integration
from provisioning import accounts, applying, history, keys, sealing, telling
from provisioning.actions import Action, Kind, Situation
from provisioning.applying import KeepAlive, Trouble
from provisioning.models import Account, ProvisioningJob
from provisioning.models import Action as Row
from provisioning.safety import Code, beyond_mode
from provisioning.storing import append

NOT_YET = (*history.NOT_YET, Code.MODE)
"""Outcomes of a revocation that a later job may better."""


def sweep(job: ProvisioningJob, connector: Connector, keep_alive: KeepAlive) -> Trouble | None:
    """For every account that was removed and not swept since, by this job or an earlier one."""
    owed = _owed(job.integration)
    if not owed:
        return None
    keep_alive.now(f"Looking for keys that {len(owed)} removed accounts left behind")
    listed, began = len(connector.listings), timezone.now()
    try:
        owners = accounts.known_owners(job.integration, connector.vocabulary.owner_role)
        found = connector.fetch_keys(owners)
    except ConnectorError as error:
        return _not_swept(job, error)
    residue = found.left_by([account.remote_id for account in owed])
    with together():
        keys.remember(job.integration, found, began=began, now=timezone.now())
        append(job, [*_lines(job, owed, residue)])
        found_there = sealing.sweep(job)
        job.swept = {
            "accounts": [account.remote_id for account in owed],
            "listings": [asdict(listing) for listing in [*connector.listings][listed:]],
            "unread": list(residue.unread),
            "digest": found_there["digest"],
        }
        job.save(update_fields=["swept"])
        told = {name: job.swept[name] for name in ("accounts", "unread")}
        telling.of_job(Verb.JOB_SWEPT, job, sweep=found_there, **told)
    trouble = applying.apply(job, connector, keep_alive, resumed=False)
    unseen = applying.verify(job, connector, keep_alive)
    unsettled = _owners_of_open_revocations(job)
    settled = [account for account in owed if account.remote_id not in unsettled]
    accounts.note_swept(settled, now=timezone.now())
    return trouble or unseen


def _owed(integration: Integration) -> list[Account]:
    """While the mode forbids to revoke, those whose keys have been told of wait until it is raised."""
    owed = accounts.owed_a_sweep(integration)
    if not (_revokes(integration) and beyond_mode(integration.mode, taking=True)):
        return owed
    forbidden = Row.objects.filter(
        job__integration=integration, situation=Situation.LEFT_BEHIND, error__code=Code.MODE
    )
    told = set(forbidden.values_list("account_id", flat=True))
    return [account for account in owed if account.remote_id not in told]


def _revokes(integration: Integration) -> bool:
    return integration.leaver_keys == Integration.LeaverKeys.REVOKE


def _not_swept(job: ProvisioningJob, error: ConnectorError) -> Trouble:
    if isinstance(error, CredentialRejected):
        return {"code": "credential_rejected", "detail": str(error)}
    left = "What the removed accounts leave behind could not be looked for; the next sync tries again."
    return {"code": "not_swept", "detail": f"{left} {error}"}


def _owners_of_open_revocations(job: ProvisioningJob) -> set[str | None]:
    """Accounts with a key that this job was to revoke and a later one has to."""
    revocations = job.actions.filter(kind=Kind.REVOKE_KEY)
    rows = revocations.values_list("account_id", "state", "error__code")
    to_do = (Row.State.PLANNED, Row.State.STARTED)
    return {account for account, state, code in rows if state in to_do or code in NOT_YET}


# -- the plan


def _lines(job: ProvisioningJob, owed: Sequence[Account], residue: Residue) -> Iterable[Action]:
    """What an earlier try of this job has written down already is not written again."""
    written = job.actions.filter(situation=Situation.LEFT_BEHIND).values_list("entitlement", flat=True)
    known = {held["id"] for held in written if held}
    by_id = {account.remote_id: account for account in owed}
    revoke = _revokes(job.integration)
    for key in residue.keys:
        if key.id not in known:
            yield _about_key(by_id[key.owner_id], key, revoke=revoke)
    if job.swept is None:
        yield from map(_about_unattended, residue.unattended)
        yield from (
            Action(Kind.REPORT, Situation.LEFT_BEHIND, "", detail=sentence) for sentence in residue.unread
        )


def _about_key(account: Account, key: Key, *, revoke: bool) -> Action:
    used = f"last used on {key.last_used_at:%Y-%m-%d}" if key.last_used_at else "never used"
    left = "" if revoke else " It is left as it is: this integration reports the keys of leavers."
    return Action(
        Kind.REVOKE_KEY if revoke else Kind.REPORT,
        Situation.LEFT_BEHIND,
        account.email,
        account_id=account.remote_id,
        person_id=account.person_id,
        entitlement=Entitlement(key.kind, key.id, key.name),
        before={"key": key.name, "place": key.place},
        detail=f"A {key.kind} for {key.place}, {used}.{left}",
        taking=revoke,
    )


def _about_unattended(found: Unattended) -> Action:
    robots = ", ".join(found.service_accounts)
    sentence = (
        f"In {found.place} nobody is left but owners of the organization and service accounts: {robots}."
    )
    return Action(Kind.REPORT, Situation.LEFT_BEHIND, "", detail=sentence)
