"""Who signs in and out, who could not, and new passwords: written down when Django tells of them."""

from typing import Any

from django.contrib.auth.password_validation import MinimumLengthValidator
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from cakewalk.ledger.actors import Actor, Kind
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.tries import count_try

TRIES, WHILE = 20, 15 * 60
"""So many failures from one address are written down in so many seconds: whoever guesses passwords must not
fill the ledger."""


def listen() -> None:
    user_logged_in.connect(_signed_in, dispatch_uid="ledger")
    user_logged_out.connect(_signed_out, dispatch_uid="ledger")
    user_login_failed.connect(_not_signed_in, dispatch_uid="ledger")


def _signed_in(*, request: HttpRequest | None, user: User, **_: Any) -> None:
    record(Verb.SIGNED_IN, user, by=Actor(Kind.PERSON, user.get_username(), _address(request)))


def _signed_out(*, request: HttpRequest | None, user: User | None, **_: Any) -> None:
    if user is not None:
        record(Verb.SIGNED_OUT, user, by=Actor(Kind.PERSON, user.get_username(), _address(request)))


def _not_signed_in(*, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """What was typed is told only where somebody is called so: it may as well be a password."""
    address = _address(request)
    tries = count_try("sign-ins", address, seconds=WHILE)
    if tries > TRIES:
        return
    typed = credentials.get(User.USERNAME_FIELD)
    known = User.objects.filter(username=typed).first() if isinstance(typed, str) else None
    last = {"further_failures": "not recorded for a while"} if tries == TRIES else {}
    facts = {} if known else {"user": "nobody is called so"}
    record(Verb.SIGN_IN_FAILED, known, facts=facts | last or None, by=Actor(Kind.PERSON, "", address))


def _address(request: HttpRequest | None) -> str:
    return str(request.META.get("REMOTE_ADDR", "")) if request else ""


class RecordedLengthValidator(MinimumLengthValidator):
    """Django tells validators of every password that was set: on whatever page, and by whatever command."""

    def password_changed(self, password: str, user: User | None = None) -> None:
        if user is not None:
            record(Verb.PASSWORD_SET, user)
