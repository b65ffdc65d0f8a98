"""Replace an integration's key through the remote itself: make, prove, swap, revoke the old one.

A rotation that was interrupted anywhere is gone on with by the clock, or before by whoever asks for one.
Until the new key is in use the old one works, and until the old one is revoked both do.
"""

import secrets
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_variables

from cakewalk.encryption import DecryptionError, Secret
from cakewalk.ledger.recording import together
from cakewalk.models import User
from cakewalk.opening import opened
from cakewalk.words import called
from directory.time_zones import today
from integrations.catalog import connector_class
from integrations.connectors.base import (
    ActionRejected,
    Check,
    CheckReport,
    Connector,
    ConnectorError,
    CredentialFacts,
    CredentialRejected,
    OutcomeUnknown,
    PermissionMissing,
    RateLimited,
    RemoteUnreachable,
)
from integrations.models import Credential, CredentialMissing, Integration, Rotation, RotationLost
from provisioning.models import ProvisioningJob

State = Rotation.State

CLOCKS_DIFFER = timedelta(minutes=1)
"""By how much the clock of a worker may be ahead of ours."""


class Refused(Exception):
    """The key is not rotated now, and nothing was changed; the message says why, in a sentence."""


class GivenUp(Exception):
    """The rotation ends with the old key in use; the message says why."""


def rotate(integration: Integration, *, by: User | None) -> Rotation:
    """Rotate the key, or go on with a rotation that was interrupted. The one that comes back is done, or was
    given up, or stopped half-way: its `detail` says why. Raises Refused.
    """
    rotation = _taken(integration, by)
    try:
        _go_as_far_as_possible(rotation)
    except RotationLost as lost:
        raise Refused(_("Another process goes on with the rotation.")) from lost
    return rotation


def go_on(rotation_id: int) -> None:
    """Go on with a rotation that was interrupted, if it is time and nobody else does."""
    rotation = Rotation.objects.defer("new_secret").get(pk=rotation_id)
    if rotation.take_in_turn(uuid.uuid4().hex, now=timezone.now()):
        with suppress(RotationLost):
            _go_as_far_as_possible(rotation)


def _go_as_far_as_possible(rotation: Rotation) -> None:
    try:
        _carry_on(rotation)
    except GivenUp as reason:
        rotation.end(State.GIVEN_UP, now=timezone.now(), detail=str(reason))
    except (ConnectorError, CredentialMissing, DecryptionError) as error:
        rotation.let_go(str(error), now=timezone.now())


def in_words(rotation: Rotation) -> str:
    """What came of it, in sentences."""
    integration = rotation.integration
    if rotation.state == State.DONE:
        said = _("%(integration)s works with the key %(new)s; %(old)s is revoked.")
        return said % {"integration": integration, "new": rotation.new_hint, "old": rotation.old_hint}
    if rotation.state == State.GIVEN_UP:
        said = _("The key of %(integration)s was not rotated. %(why)s")
        return said % {"integration": integration, "why": rotation.detail}
    said = _("The rotation stopped half-way. %(state)s. %(why)s")
    return said % {"state": rotation.get_state_display(), "why": rotation.detail}


def _taken(integration: Integration, by: User | None) -> Rotation:
    now, holder = timezone.now(), uuid.uuid4().hex
    unfinished = integration.rotations.unfinished().defer("new_secret").first()
    if unfinished is None:
        return _begin(integration, by, holder)
    if not unfinished.take(holder, now=now):
        until = timezone.localtime(unfinished.held_until or now + Rotation.HOLD)
        raise Refused(
            _(
                "The key is being rotated at this moment. Should that process be gone, another can go on "
                "after %(time)s."
            )
            % {"time": date_format(until, "H:i:s")}
        )
    return unfinished


def _begin(integration: Integration, by: User | None, holder: str) -> Rotation:
    now = timezone.now()
    if job := integration.jobs.live().first():
        said = _("%(job)s is %(state)s. Rotate the key when it has ended.")
        raise Refused(said % {"job": job, "state": called(job.state_word)})
    credential = Credential.objects.defer("secret").filter(integration=integration).first()
    if credential is None:
        raise Refused(_("%(integration)s has no credential yet.") % {"integration": integration})
    try:
        with together():
            rotation = Rotation.objects.create(
                integration=integration,
                by=by,
                key_name=f"Cakewalk {integration.name[:40]} {today()} {secrets.token_hex(4)}",
                old_hint=credential.hint,
                old_entered_at=credential.entered_at,
                started_at=now,
                holder=holder,
                held_until=now + Rotation.HOLD,
            )
            rotation.record()
        return rotation
    except IntegrityError as error:
        raise Refused(_("The key is being rotated at this moment.")) from error


def _carry_on(rotation: Rotation) -> None:
    if rotation.state == State.MAKING:
        _revoke_the_lost_one(rotation)
    if rotation.state == State.BEGUN:
        _make(rotation)
    if rotation.state == State.MADE:
        _prove_and_swap(rotation)
    if rotation.state == State.SWAPPED:
        _revoke_the_old_one(rotation)


def _revoke_the_lost_one(rotation: Rotation) -> None:
    """The call for a new key was sent, and nobody knows its answer. Its secret is lost, so it must go."""
    try:
        connector = _connector(rotation)
        for key_id in _lost_keys(rotation, connector.list_credentials()):
            connector.revoke_credential(key_id)
    except (CredentialRejected, PermissionMissing) as error:
        by_hand = f"A key named “{rotation.key_name}” may exist: delete it by hand."
        raise GivenUp(f"{error} {by_hand}") from error
    rotation.advance(State.BEGUN, now=timezone.now())


def _make(rotation: Rotation) -> None:
    connector = _connector(rotation)
    report = connector.check()
    old = report.credential
    if report.problem:
        raise GivenUp(f"The key that is in use cannot make another one. {report.problem}")
    if old.unknown:
        raise GivenUp(f"Which key is in use is not known, so it could not be revoked. {old.unknown}")
    rotation.advance(State.MAKING, now=timezone.now(), old_id=old.id, owner_id=old.owner_id)
    try:
        new = connector.create_credential(rotation.key_name, old.life)
    except OutcomeUnknown as lost:
        _revoke_the_lost_one(rotation)
        raise GivenUp(f"{lost} If a key was made, it is revoked again.") from lost
    except (ActionRejected, CredentialRejected, PermissionMissing, RateLimited, RemoteUnreachable) as error:
        raise GivenUp(f"No new key was made. {error}") from error
    try:
        rotation.advance(
            State.MADE,
            now=timezone.now(),
            new_id=new.facts.id,
            new_hint=connector.secret_hint(new.secret),
            new_secret=Secret(new.secret),
        )
    except RotationLost:
        # Whoever goes on looked for lost keys before this one was made, and may have revoked the old one.
        with suppress(ConnectorError):
            _with_secret(rotation.integration, new.secret).revoke_credential(new.facts.id)
        raise


def _connector(rotation: Rotation) -> Connector:
    """With the key in use."""
    return rotation.integration.connector(use=_called(rotation))


def _called(rotation: Rotation) -> str:
    return f"Rotation of the key, {rotation.key_name}"


@sensitive_variables("secret")
def _with_secret(integration: Integration, secret: str) -> Connector:
    return connector_class(integration.kind)(secret=secret, base_url=integration.base_url)


@sensitive_variables("secret")
def _prove_and_swap(rotation: Rotation) -> None:
    try:
        (secret,) = opened(
            rotation.new_secret, of=rotation.integration, use=f"{_called(rotation)}, the new key"
        )
    except DecryptionError as error:
        raise GivenUp(f"{error} The next rotation revokes the new key.") from error
    integration = rotation.integration
    connector = _with_secret(integration, secret)
    report = connector.check()
    if problem := _unproven(rotation, report):
        if not report.credential.id and any(check.answer == Check.UNREACHABLE for check in report.checks):
            raise RemoteUnreachable(problem)
        _connector(rotation).revoke_credential(rotation.new_id)
        raise GivenUp(f"{problem} The new key is revoked again.")
    now = timezone.now()
    with together():
        if is_swapped := _is_in_use(rotation.integration, rotation.old_entered_at):
            integration.store_credential(secret, by=rotation.by, now=now)
            integration.record_check(report, now=now)
            rotation.advance(State.SWAPPED, now=now, swapped_at=now, new_secret=Secret(""), detail="")
    if not is_swapped:
        connector.revoke_credential(rotation.new_id)
        raise GivenUp("The credential was replaced by hand meanwhile. The new key is revoked again.")


def _unproven(rotation: Rotation, report: CheckReport) -> str:
    """Why the new key is not shown to work, in the same organization and as the same person's."""
    if report.problem:
        return f"The new key does not work. {report.problem}"
    if report.credential.id != rotation.new_id:
        return f"The new key is not seen where the old one is. {report.credential.unknown}".strip()
    if report.credential.owner_id != rotation.owner_id:
        return "The new key belongs to somebody else than the old one."
    return ""


def _is_in_use(integration: Integration, entered_at: datetime | None) -> bool:
    """Whether the stored credential is still the one that was entered then. It stays so until the end of the
    transaction.
    """
    stored = Credential.objects.select_for_update().filter(integration=integration)
    return stored.values_list("entered_at", flat=True).first() == entered_at


def _revoke_the_old_one(rotation: Rotation) -> None:
    integration = rotation.integration
    if job := _at_work_with_the_old_one(rotation):
        works = f"{job} works with the old key, which is revoked when that has ended."
        rotation.let_go(works, now=timezone.now())
        return
    with transaction.atomic():
        if not _is_in_use(integration, rotation.swapped_at):
            raise GivenUp(
                "The credential was replaced by hand since the new key was put to use. "
                f"The old one, {rotation.old_hint}, may still work: delete it by hand."
            )
    connector = _connector(rotation)
    for key_id in (rotation.old_id, *_lost_keys(rotation, connector.list_credentials())):
        with suppress(OutcomeUnknown):  # a look tells
            connector.revoke_credential(key_id)
    if rotation.old_id in {key.id for key in connector.list_credentials()}:
        still = f"OpenAI still lists the old key, {rotation.old_hint}."
        rotation.let_go(still, now=timezone.now())
        return
    rotation.end(State.DONE, now=timezone.now())


def _at_work_with_the_old_one(rotation: Rotation) -> ProvisioningJob | None:
    """A job takes the key when it is claimed, and keeps it."""
    taken_before = (rotation.swapped_at or timezone.now()) + CLOCKS_DIFFER
    running = rotation.integration.jobs.filter(state=ProvisioningJob.State.RUNNING)
    return running.filter(held_since__lte=taken_before).first()


def _lost_keys(rotation: Rotation, listed: Iterable[CredentialFacts]) -> list[str]:
    """Keys that this rotation or one that was given up has made, and whose secret nobody has. A name is given
    once, so that no key of anybody else has it.
    """
    names = set(rotation.integration.rotations.exclude(state=State.DONE).values_list("key_name", flat=True))
    return [key.id for key in listed if key.name in names and key.id != rotation.new_id]
