"""From a SCIM user to what the directory knows of a person: no database, no request."""

import unicodedata
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from scim2_models import InvalidValueException

from directory.emails import email_key
from directory.people_table import MAX_LENGTHS
from directory.scim.schemas import Email, EnterpriseUser, User
from directory.time_zones import time_zone_named

LONGEST_NAME_IN_SCIM = 255
"""Of userName, externalId and displayName, which are looked up."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a user says about the person. `email` and `time_zone` are empty where the client knows none."""

    email: str
    aliases: tuple[str, ...]
    name: str
    active: bool
    department: str
    title: str
    employee_id: str
    time_zone: str

    @property
    def addresses(self) -> dict[str, str]:
        """Every address as it is written, by the form in which addresses are compared."""
        written = [*self.aliases, self.email] if self.email else self.aliases
        return {email_key(address): address for address in written}


def text_key(text: str) -> str:
    """The form in which SCIM compares a text without case: the library's default comparison key."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())


def entry_of(user: User[Any]) -> Entry:
    """Raises InvalidValueException, which names the attribute, for what the directory cannot hold."""
    check_texts(user.model_dump())
    if not (user.user_name or "").strip():
        raise InvalidValueException(detail="userName is empty.")
    for name in ("user_name", "external_id", "display_name"):
        check_length(name, getattr(user, name) or "", LONGEST_NAME_IN_SCIM)
    emails = [email for email in user.emails or [] if email.value]
    for email in emails:
        _check_address(email.value or "")
    enterprise = getattr(user, EnterpriseUser.__name__, None)
    primary = _primary(user.user_name or "", emails)
    key = email_key(primary) if primary else ""
    entry = Entry(
        email=primary,
        aliases=tuple(email.value or "" for email in emails if email_key(email.value or "") != key),
        name=_name(user),
        active=user.active is not False,
        department=(enterprise and enterprise.department) or "",
        title=user.title or "",
        employee_id=(enterprise and enterprise.employee_number) or "",
        time_zone=time_zone_named(user.timezone or "") or "",
    )
    for field, longest in MAX_LENGTHS.items():
        check_length(field, getattr(entry, field), longest)
    return entry


def _primary(user_name: str, emails: list[Email]) -> str:
    """The user name where it is an address; else the primary e-mail, the one at work, or the first."""
    if _is_email(user_name):
        return user_name
    ranked = sorted(emails, key=lambda email: (not email.primary, email.type != Email.Type.work))
    return (ranked[0].value or "") if ranked else ""


def _name(user: User[Any]) -> str:
    if user.display_name:
        return user.display_name
    if user.name is None:
        return ""
    parts = (user.name.given_name, user.name.middle_name, user.name.family_name)
    return user.name.formatted or " ".join(part for part in parts if part)


def check_length(field: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise InvalidValueException(
            detail=f"The {field.replace('_', ' ')} has {len(text)} characters, the most are {longest}."
        )


def _check_address(address: str) -> None:
    if not _is_email(address):
        raise InvalidValueException(detail=f"emails.value: {address!r} is not an e-mail address.")


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return max(len(text), len(email_key(text))) <= MAX_LENGTHS["email"]


def check_texts(value: Any, path: str = "") -> None:
    """No text holds a NUL or half a character: no database takes them."""
    match value:
        case str() if "\0" in value or (not value.isascii() and not _encodable(value)):
            raise InvalidValueException(detail=f"{path or 'A value'} holds a character that is none.")
        case dict():
            for name, item in value.items():
                check_texts(item, f"{path}.{name}" if path else str(name))
        case list():
            for item in value:
                check_texts(item, path)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
