"""Who somebody is here, of whom the provider says such things, and which roles that gives and takes."""

from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group as Role
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.saying import said_of
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.signing_in.models import Identity
from cakewalk.signing_in.oidc.problems import NotSignedIn, Problem

SUPERUSER = "superuser"
"""In OIDC_ROLES, in place of a role: whoever may do everything."""

Claims = Mapping[str, Any]


def groups_of(claims: Claims) -> set[str]:
    said = claims.get(settings.OIDC_GROUPS_CLAIM, [])
    many = said if isinstance(said, list) else [said]
    return {one for one in many if isinstance(one, str)}


def roles_of(groups: Collection[str], given_by: Mapping[str, str]) -> set[str]:
    return {role for group, role in given_by.items() if group in groups}


def known(claims: Claims) -> User | None:
    found = (
        Identity.objects.filter(issuer=claims["iss"], subject=claims["sub"]).select_related("user").first()
    )
    return found.user if found else None


def sign_in(claims: Claims) -> User:
    """With the roles that their groups have now. Without any they are refused, and lose what they had."""
    roles = roles_of(groups_of(claims), settings.OIDC_ROLES)
    with together():
        user = known(claims)
        if user is None and roles:
            user = _new(claims)
        if user is not None and user.is_active:
            _follow(user, roles)
            _renew(user, claims)
    if user is not None and not user.is_active:
        raise NotSignedIn(Problem.INACTIVE, user.get_username())
    if user is None or not roles:
        raise NotSignedIn(Problem.NO_ROLE, user.get_username() if user else "")
    return user


def confirm(claims: Claims, *, user: User, asked_at: float, leeway: int) -> User:
    """That it is they, who were asked just now."""
    if known(claims) != user:
        raise NotSignedIn(Problem.SOMEBODY_ELSE, user.get_username())
    asked_anew = claims.get("auth_time")
    if not isinstance(asked_anew, int | float) or asked_anew < asked_at - leeway:
        raise NotSignedIn(Problem.NOT_ANEW, user.get_username())
    return user


def link(claims: Claims, *, user: User) -> User:
    """A local user, who is signed in and asks for it, with whom the provider knows."""
    with together():
        other = known(claims)
        if other is not None and other != user:
            raise NotSignedIn(Problem.SOMEBODY_ELSE, user.get_username())
        if other is None:
            _link(user, claims)
    return user


def _link(user: User, claims: Claims) -> None:
    Identity.objects.create(user=user, issuer=claims["iss"], subject=claims["sub"])
    record(Verb.IDENTITY_LINKED, user, facts={"issuer": claims["iss"], "subject": claims["sub"]})


def _new(claims: Claims) -> User:
    user = User(username=_name(claims), is_staff=True)
    user.set_unusable_password()
    if User.objects.filter(username__iexact=user.username).exists():
        raise NotSignedIn(Problem.TAKEN, user.username)
    user.save()
    record(Verb.ADDED, user, after=said_of(user))
    _link(user, claims)
    return user


def _name(claims: Claims) -> str:
    claim: str = settings.OIDC_USERNAME_CLAIM
    said = claims.get(claim)
    if claim == "email" and claims.get("email_verified") is not True:
        raise NotSignedIn(Problem.CLAIMS, "email is not verified")
    try:
        name: str = User._meta.get_field("username").clean(said, None)
    except ValidationError as error:
        raise NotSignedIn(Problem.CLAIMS, claim) from error
    return name


def _renew(user: User, claims: Claims) -> None:
    """What else the provider says of them. An e-mail only where it has verified it."""
    said = {"first_name": claims.get("given_name"), "last_name": claims.get("family_name")}
    if claims.get("email_verified") is True:
        said["email"] = claims.get("email")
    new = {name: value for name, value in said.items() if isinstance(value, str) and len(value) <= 150}
    try:
        validate_email(new.get("email") or "nobody@example.org")
    except ValidationError:
        new.pop("email")
    before = {name: getattr(user, name) for name in new if getattr(user, name) != new[name]}
    if before:
        for name in before:
            setattr(user, name, new[name])
        user.save(update_fields=[*before])
        record(Verb.CHANGED, user, before=before, after={name: new[name] for name in before})


def _follow(user: User, roles: set[str]) -> None:
    """Exactly these, and whether they may do everything only where OIDC_ROLES says something of it."""
    named = roles - {SUPERUSER}
    found = list(Role.objects.filter(name__in=named))
    if missing := named - {role.name for role in found}:
        raise NotSignedIn(Problem.UNKNOWN_ROLE, ", ".join(sorted(missing)))
    before = _standing(user)
    user.groups.set(found)
    if SUPERUSER in settings.OIDC_ROLES.values():
        user.is_superuser = SUPERUSER in roles
    user.is_staff = user.is_staff or bool(roles)
    user.save(update_fields=["is_superuser", "is_staff"])
    after = _standing(user)
    if before != after:
        record(Verb.ROLES_FOLLOWED, user, before=before, after=after)
    if not roles:
        user.end_sessions()


def _standing(user: User) -> dict[str, Any]:
    return {"groups": sorted(role.name for role in user.groups.all()), "is_superuser": user.is_superuser}
