"""The second factor: set up, asked for, lost, and taken off somebody."""

import segno
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.signing_in.models import Authenticator, BackupCode, authenticator_of
from cakewalk.signing_in.sessions import sign_out_everywhere

CODE, BACKUP_CODE = "code", "backup code"


def begin(user: User) -> None:
    """An authenticator that is not in use before a code of it was typed. A former attempt is forgotten."""
    Authenticator.objects.filter(user=user, confirmed=False).delete()
    Authenticator.objects.create(user=user, name="authenticator", confirmed=False)


def being_set_up(user: User) -> Authenticator | None:
    return Authenticator.objects.filter(user=user, confirmed=False).first()


def confirm(user: User, typed: str) -> list[str] | None:
    """The backup codes, where the code is right."""
    with together():
        rows = Authenticator.objects.select_for_update(of=("self",))
        found = rows.filter(user=user, confirmed=False).first()
        if found is None or not found.verify_token(plain(typed)):
            return None
        found.confirmed, found.confirmed_at = True, timezone.now()
        found.save(update_fields=["confirmed", "confirmed_at"])
        record(Verb.SECOND_FACTOR_SET, user)
        return BackupCode.renew(user)


def accept(user: User, typed: str) -> str | None:
    """Which kind of code it was, where it is right."""
    with together():
        device = authenticator_of(user, locked=True)
        if device is None or not device.verify_is_allowed()[0]:
            return None
        if BackupCode.use(user, typed):
            record(Verb.BACKUP_CODE_USED, user, facts={"left": left(user)})
            return BACKUP_CODE
        return CODE if device.verify_token(plain(typed)) else None


def plain(typed: str) -> str:
    """As apps show it: in two groups."""
    return typed.replace(" ", "")


def renew_codes(user: User) -> list[str]:
    with together():
        record(Verb.BACKUP_CODES_RENEWED, user)
        return BackupCode.renew(user)


def left(user: User) -> int:
    return BackupCode.objects.filter(user=user, used_at=None).count()


def remove(user: User, *, of_another: bool = False) -> bool:
    """Whoever has lost theirs signs in with the password, and sets up another one."""
    with together():
        had, _rows = Authenticator.objects.filter(user=user).delete()
        BackupCode.objects.filter(user=user).delete()
        if had:
            record(Verb.SECOND_FACTOR_REMOVED, user)
        if had and of_another:
            sign_out_everywhere(user)
    return bool(had)


def picture(device: Authenticator) -> SafeString:
    """The QR code, as part of the page: no other address ever knows the key."""
    drawn: str = segno.make(device.address(), error="m", micro=False).svg_inline(
        scale=5, border=3, light="#fff", svgclass="cw-qr", lineclass=None, omitsize=True
    )
    return mark_safe(drawn)  # noqa: S308 - made of numbers
