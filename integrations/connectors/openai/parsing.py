"""OpenAI's JSON turned into values, or refused by the place that makes no sense. Pure.

Tolerant of the variations that OpenAI has shown (fields absent, people nested in `user`), of nothing else.
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from integrations.connectors.base import (
    Acceptance,
    Account,
    AccountState,
    CredentialFacts,
    Entitlement,
    Grant,
)

Row = Mapping[str, Any]

PROJECT = "project"
GROUP = "group"
PROJECT_KEY = "project key"
ADMIN_KEY = "admin key"
SERVICE_ACCOUNT = "service account"
MEMBER = "member"
ROLE = "role"
PROJECT_ROLE = "project role"
HOLDER = "holder"
DEFAULT_PROJECT = "it is the default project, which OpenAI does not let anyone change"
TENANT_GROUP = "it belongs to the whole tenant, not to this organization"
OWN_ROLE = "it is one of OpenAI's own, which a rule gives as a role and not by this list"

USUAL_ID = re.compile("[A-Za-z0-9_-]{1,200}")
UNSOUND = re.compile("[\0\ud800-\udfff]")
"""A NUL, or half of a surrogate pair, would break what stores a text or sends it back."""


class Unreadable(Exception):
    """An answer that makes no sense. The message names the place."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing. `cursor` is what the page itself names as the way on."""

    rows: tuple[Any, ...]
    has_more: bool
    cursor: str | None
    first_id: str | None
    last_id: str | None


class Holder(Struct, frozen=True, gc=False):
    """Who holds a project or a group, and as what."""

    id: str
    role: str


@dataclass(frozen=True, slots=True)
class GroupRole:
    """A role as a group holds it. `own`: by itself, and not only through something else."""

    id: str
    name: str
    predefined: bool
    own: bool = True


@dataclass(frozen=True, slots=True)
class AdminKey:
    """`shown` is the part of the key that OpenAI still shows, such as `sk-admin-...x1`."""

    shown: str
    facts: CredentialFacts


@dataclass(frozen=True, slots=True)
class ProjectKey:
    """`owner_id`: a person's or, where `of_machine`, a service account's; empty where it is not told."""

    id: str
    name: str
    shown: str
    owner_id: str
    owner_name: str
    of_machine: bool
    made_at: datetime | None
    last_used_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    id: str
    name: str
    made_at: datetime | None


# -- bodies


def parse_object(body: bytes, place: str) -> Row:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable(f"{place} is not JSON") from None
    if not isinstance(found, dict):
        raise Unreadable(f"{place} is not a JSON object")
    if found.get("error") is not None:
        raise Unreadable(f"{place} holds an error")
    return found


def parse_page(body: bytes, place: str) -> Page:
    """A page of either style: `last_id` (users, invites, projects) or `next` (groups) leads on."""
    page = parse_object(body, place)
    rows, has_more = page.get("data"), page.get("has_more")
    if not isinstance(rows, list):
        raise Unreadable(f"{place} has no list of data")
    if not isinstance(has_more, bool):
        raise Unreadable(f"{place} does not say whether there is more")
    last_id, following = _text(page, "last_id", place), _text(page, "next", place)
    if following and not has_more:
        raise Unreadable(f"{place} names a next page and says that there is none")
    return Page(
        rows=tuple(rows),
        has_more=has_more,
        cursor=following or last_id,
        first_id=_text(page, "first_id", place),
        last_id=last_id,
    )


def parse_refusal(body: bytes) -> str | None:
    """The message of an error answer, in its present or its older flat form; None when it is neither.

    An answer about the address (`Invalid URL`) says nothing about the thing asked for, and neither does a
    bare `message`, which is how gateways on the way speak.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    error = answer.get("error", answer if "code" in answer else None)
    message = error.get("message") if isinstance(error, dict) else error
    if not isinstance(message, str) or message.startswith("Invalid URL"):
        return None
    return _presentable(message) or None


def _presentable(message: str) -> str:
    """On one line, short, and without anything that looks like a key or moves a terminal's cursor."""
    message = "".join(letter if letter.isprintable() else " " for letter in message)
    message = without_keys(" ".join(message.split()))
    return message if len(message) <= 300 else message[:299] + "…"


def without_keys(text: str) -> str:
    """People have pasted keys where a name belongs."""
    return re.sub(r"(?<![a-zA-Z])sk-[\w*…-]+(?:\.{2,}[\w*-]+)?", "sk-…", text)


def is_deletion(answer: Row, subject_id: str) -> bool:
    """Whether the answer says that this very subject was deleted; groups name nobody."""
    return answer.get("deleted") is True and answer.get("id", subject_id) == subject_id


# -- rows


def parse_row(value: Any, place: str) -> Row:
    if not isinstance(value, dict):
        raise Unreadable(f"{place} is not a JSON object")
    return value


def row_id(row: Row, place: str) -> str:
    """The row's own id, or that of the person nested in it."""
    return _id(row if row.get("id") else _person(row, place), place)


def _person(row: Row, place: str) -> Row:
    found = row.get("user") or {}
    return found if isinstance(found, dict) else parse_row(found, f"{place}, field user,")


def parse_user(row: Row, place: str) -> Account:
    _check_object(row, place, "organization.user", "user")
    person = _person(row, place)
    email = _text(row, "email", place) or _text(person, "email", place)
    return Account(
        id=row_id(row, place),
        state=AccountState.ACTIVE,
        email=sys.intern(email) if email else None,
        role=_text(row, "role", place) or _text(person, "role", place),
        name=_text(row, "name", place) or _text(person, "name", place),
        managed_elsewhere=_flag(row, "is_scim_managed", place),
        is_service=_flag(row, "is_service_account", place),
        since=_moment(row, "added_at", place) or _moment(row, "created", place),
    )


def parse_invite(row: Row, place: str, now: datetime) -> Account | None:
    """None for an accepted invite: that person is a member now. A pending one past its time has expired."""
    _check_object(row, place, "organization.invite")
    invite_id, status = _id(row, place), row.get("status")
    if status not in ("pending", "expired", "accepted"):
        raise Unreadable(f"{place} has a status that OpenAI does not describe")
    expires_at = _moment(row, "expires_at", place)
    lapsed = status == "expired" or (expires_at is not None and expires_at <= now)
    account = Account(
        id=invite_id,
        state=AccountState.EXPIRED if lapsed else AccountState.INVITED,
        email=_required(row, "email", place),
        role=_required(row, "role", place),
        grants=_invite_grants(row, place),
        since=_moment(row, "created_at", place) or _moment(row, "invited_at", place),
        expires_at=expires_at,
    )
    return None if status == "accepted" else account


def parse_acceptance(row: Row, place: str) -> Acceptance | None:
    """Of an accepted invite; None where OpenAI does not tell when that was."""
    at = _moment(row, "accepted_at", place)
    return Acceptance(_required(row, "email", place), at) if at else None


def _invite_grants(row: Row, place: str) -> tuple[Grant, ...]:
    projects = row.get("projects")
    if projects is None:
        return ()
    if not isinstance(projects, list):
        raise Unreadable(f"{place} has projects that are no list")
    grants = []
    for number, project in enumerate(projects, start=1):
        where = f"{place}, project {number},"
        held = parse_row(project, where)
        grants.append(Grant(PROJECT, _id(held, where), _required(held, "role", where)))
    return tuple(sorted(grants))


def parse_project(row: Row, place: str) -> Entitlement:
    _check_object(row, place, "organization.project")
    project_id = _id(row, place)
    name = _text(row, "name", place) or _text(row, "title", place) or project_id
    unmanageable = ""
    if row.get("archived_at") is not None or row.get("status") == "archived":
        unmanageable = "it is archived"
    elif row.get("is_initial") is True or name.strip().casefold() == "default project":
        unmanageable = DEFAULT_PROJECT
    return Entitlement(PROJECT, project_id, name, unmanageable)


def parse_group(row: Row, place: str) -> Entitlement:
    _check_object(row, place, "group", "organization.group")
    group_id = _id(row, place)
    unmanageable = ""
    if _flag(row, "is_scim_managed", place):
        unmanageable = "it is fed by the identity provider through OpenAI's own SCIM"
    elif row.get("group_type") == "tenant_group":
        unmanageable = TENANT_GROUP
    return Entitlement(GROUP, group_id, _text(row, "name", place) or group_id, unmanageable)


def parse_project_user(row: Row, place: str) -> Holder:
    _check_object(row, place, "organization.project.user")
    return Holder(_id(row, place), _required(row, "role", place))


def parse_group_user(row: Row, place: str) -> Holder:
    _check_object(row, place, "group.user", "organization.group.user", "organization.user", "user")
    return Holder(_id(row, place), MEMBER)


def parse_group_membership(row: Row, place: str) -> Holder:
    """The answer to adding someone to a group, which has a form of its own."""
    return Holder(_required(row, "user_id", place), MEMBER)


def parse_role(row: Row, place: str) -> Entitlement:
    _check_object(row, place, "role")
    role_id = _id(row, place)
    unmanageable = OWN_ROLE if _flag(row, "predefined_role", place) else ""
    return Entitlement(ROLE, role_id, _text(row, "name", place) or role_id, unmanageable)


def parse_assigned_role(row: Row, place: str) -> Holder | None:
    """The role's id, as held. None where it is only inherited, and all that it comes from are groups."""
    sources = row.get("assignment_sources") or []
    if not isinstance(sources, list):
        raise Unreadable(f"{place} has assignment_sources that are no list")
    kinds = [_text(parse_row(source, place), "principal_type", place) for source in sources]
    return Holder(_id(row, place), HOLDER) if not kinds or "user" in kinds else None


def parse_role_assignment(row: Row, place: str) -> Holder:
    """The answer to giving somebody a role: the person, and in place of a role's name its id."""
    _check_object(row, place, "user.role")
    user, role = (parse_row(row.get(field), f"{place}, field {field},") for field in ("user", "role"))
    return Holder(row_id(user, place), _id(role, place))


def project_group_id(row: Row, place: str) -> str:
    """A group in a project has no id of its own."""
    found = _required(row, "group_id", place)
    return _id({"id": found}, place)


def parse_project_group(row: Row, place: str) -> tuple[str, str]:
    """The ids of project and group."""
    _check_object(row, place, "project.group", "organization.project.group")
    return _required(row, "project_id", place), project_group_id(row, place)


def parse_group_role(row: Row, place: str) -> GroupRole:
    """As the list of a group's roles has it. OpenAI does not say what a group would inherit a role from."""
    sources = row.get("assignment_sources") or []
    if not isinstance(sources, list):
        raise Unreadable(f"{place} has assignment_sources that are no list")
    kinds = [_text(parse_row(source, place), "principal_type", place) for source in sources]
    return GroupRole(
        _id(row, place),
        _required(row, "name", place),
        _flag(row, "predefined_role", place),
        own=not kinds or "group" in kinds,
    )


def parse_group_role_assignment(row: Row, place: str) -> tuple[str, GroupRole]:
    """The answer to giving a group a role: the group's id, and the role."""
    _check_object(row, place, "group.role")
    group, role = (parse_row(row.get(field), f"{place}, field {field},") for field in ("group", "role"))
    return _id(group, place), parse_group_role(role, place)


def parse_admin_key(row: Row, place: str) -> AdminKey | None:
    """None for what is none: the list has shown project keys among the admin keys. Each of those has an owner
    too, so a row that names another kind, looks like a project key or tells no owner is not believed.
    """
    shown, owner = row.get("redacted_value"), row.get("owner")
    if row.get("object") not in (None, "organization.admin_api_key"):
        return None
    if not isinstance(owner, dict) or not owner.get("id") or not isinstance(shown, str):
        return None
    if re.match(r"sk-(proj|svcacct)\b", shown):
        return None
    facts = CredentialFacts(
        id=_id(row, place),
        name=_text(row, "name", place) or "",
        owner_id=_text(owner, "id", place) or "",
        owner_name=_text(owner, "name", place) or "",
        owner_kind=_text(owner, "type", place) or "",
        made_at=_moment(row, "created_at", place),
        last_used_at=_moment(row, "last_used_at", place),
        expires_at=_moment(row, "expires_at", place),
    )
    return AdminKey(shown, facts)


def parse_project_key(row: Row, place: str) -> ProjectKey:
    _check_object(row, place, "organization.project.api_key")
    told = parse_row(row.get("owner") or {}, f"{place}, field owner,")
    person, machine = (
        parse_row(told.get(kind) or {}, f"{place}, owner,") for kind in ("user", "service_account")
    )
    owner = person or machine
    return ProjectKey(
        id=_id(row, place),
        name=_text(row, "name", place) or "",
        shown=_text(row, "redacted_value", place) or "",
        owner_id=_text(owner, "id", place) or "",
        owner_name=_text(owner, "name", place) or "",
        of_machine=bool(machine) and not person,
        made_at=_moment(row, "created_at", place),
        last_used_at=_moment(row, "last_used_at", place),
        expires_at=_moment(row, "expires_at", place),
    )


def parse_service_account(row: Row, place: str) -> ServiceAccount:
    _check_object(row, place, "organization.project.service_account")
    account_id = _id(row, place)
    name = _text(row, "name", place) or account_id
    return ServiceAccount(account_id, name, _moment(row, "created_at", place))


# -- fields


def required_moment(row: Row, key: str, place: str) -> datetime:
    found = _moment(row, key, place)
    if found is None:
        raise Unreadable(f"{place} has no {key}")
    return found


def _check_object(row: Row, place: str, *expected: str) -> None:
    """Rows of another kind than asked for are a mislabelled list; rows that name none are believed."""
    kind = row.get("object")
    if isinstance(kind, str) and kind not in expected:
        raise Unreadable(f"{place} is of another kind than {expected[0]}")


def _id(row: Row, place: str) -> str:
    """Kept once, however many lists it is met in."""
    found = row.get("id")
    if not isinstance(found, str) or not found.strip(" .") or len(found) > 200:
        raise Unreadable(f"{place} has no id")
    return sys.intern(found if USUAL_ID.fullmatch(found) else _sound(found, "id", place))


def _required(row: Row, key: str, place: str) -> str:
    found = _text(row, key, place)
    if found is None:
        raise Unreadable(f"{place} has no {key}")
    return found


def _text(row: Row, key: str, place: str) -> str | None:
    """Absent, null and empty are one; anything but a text is unreadable."""
    found = row.get(key)
    if found is not None and not isinstance(found, str):
        raise Unreadable(f"{place} has a {key} that is no text")
    return _sound(found, key, place) if found else None


def _sound(text: str, key: str, place: str) -> str:
    if "\0" in text if text.isascii() else UNSOUND.search(text):
        raise Unreadable(f"{place} has a {key} with a character in it that no text has")
    return text


def _flag(row: Row, key: str, place: str) -> bool:
    found = row.get(key)
    if found is not None and not isinstance(found, bool):
        raise Unreadable(f"{place} has an {key} that is neither true nor false")
    return bool(found)


def _moment(row: Row, key: str, place: str) -> datetime | None:
    seconds = row.get(key)
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise Unreadable(f"{place} has an {key} that is no time")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        raise Unreadable(f"{place} has an {key} that is no time") from None
