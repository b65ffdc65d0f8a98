"""Who signs in and out, who could not, and new passwords: written down when Django or axes tell of them."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.password_validation import MinimumLengthValidator
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest

from cakewalk.ledger.actors import Actor, Kind
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User


def listen() -> None:
    user_logged_in.connect(_signed_in, dispatch_uid="ledger")
    user_logged_out.connect(_signed_out, dispatch_uid="ledger")


def _signed_in(*, request: HttpRequest | None, user: User, **_: Any) -> None:
    how = getattr(request, "signed_in_by", "")
    by = Actor(Kind.PERSON, user.get_username(), _address(request))
    record(Verb.SIGNED_IN, user, facts={"by": how} if how else None, by=by)


def _signed_out(*, request: HttpRequest | None, user: User | None, **_: Any) -> None:
    if user is not None:
        record(Verb.SIGNED_OUT, user, by=Actor(Kind.PERSON, user.get_username(), _address(request)))


def tell_failure(credentials: Mapping[str, Any], request: HttpRequest, *, minutes_shut_out: int) -> None:
    """What was typed is told only where somebody is called so: it may as well be a password."""
    typed = credentials.get(User.USERNAME_FIELD)
    known = User.objects.filter(username=typed).first() if isinstance(typed, str) else None
    by = Actor(Kind.PERSON, "", _address(request))
    facts = {} if known else {"user": "nobody is called so"}
    if wrong := credentials.get("wrong"):
        facts["wrong"] = wrong
    record(Verb.SIGN_IN_FAILED, known, facts=facts or None, by=by)
    if minutes_shut_out:
        record(Verb.SHUT_OUT, known, facts={"for_minutes": minutes_shut_out}, by=by)


def _address(request: HttpRequest | None) -> str:
    return str(request.META.get("REMOTE_ADDR", "")) if request else ""


class RecordedLengthValidator(MinimumLengthValidator):
    """Django tells validators of every password that was set: on whatever page, and by whatever command."""

    def password_changed(self, password: str, user: User | None = None) -> None:
        if user is not None:
            record(Verb.PASSWORD_SET, user)
