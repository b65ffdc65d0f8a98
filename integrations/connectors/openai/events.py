"""Entries of OpenAI's audit log that tell of access, and what each of them may mean. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from integrations.connectors.base import Event, EventKind
from integrations.connectors.openai.parsing import (
    ADMIN_KEY,
    GROUP,
    PROJECT,
    PROJECT_KEY,
    UNSOUND,
    Row,
    parse_row,
    required_moment,
    row_id,
)

KEPT_APART = frozenset({GROUP, ADMIN_KEY})
"""What the organization's own list does not tell of: such events are the tenant's."""

TYPES: Mapping[str, frozenset[EventKind]] = {
    "user.added": frozenset({EventKind.ACCOUNT_ADDED, EventKind.GRANT_GIVEN}),
    "user.updated": frozenset({EventKind.ROLE_CHANGED, EventKind.GRANT_CHANGED}),
    "user.deleted": frozenset({EventKind.ACCOUNT_REMOVED, EventKind.GRANT_TAKEN}),
    "invite.sent": frozenset({EventKind.INVITE_SENT}),
    "invite.accepted": frozenset({EventKind.INVITE_ACCEPTED}),
    "invite.deleted": frozenset({EventKind.INVITE_WITHDRAWN}),
    "api_key.deleted": frozenset({EventKind.KEY_REVOKED}),
    "project.created": frozenset({EventKind.ENTITLEMENT_MADE}),
    "group.created": frozenset({EventKind.ENTITLEMENT_MADE}),
    "role.assignment.created": frozenset(
        {EventKind.ROLE_CHANGED, EventKind.GRANT_CHANGED, EventKind.GRANT_GIVEN}
    ),
    "role.assignment.deleted": frozenset(
        {EventKind.ROLE_CHANGED, EventKind.GRANT_CHANGED, EventKind.GRANT_TAKEN}
    ),
}
"""OpenAI's words for entering, changing and leaving the organization are those for a project, too."""
TYPES_OF_TENANT: Mapping[str, frozenset[EventKind]] = {
    "tenant.group.member.added": frozenset({EventKind.GRANT_GIVEN}),
    "tenant.group.member.removed": frozenset({EventKind.GRANT_TAKEN}),
    "tenant.admin_api_key.deleted": frozenset({EventKind.KEY_REVOKED}),
}
OF: Mapping[str, str] = {
    "user": PROJECT,
    "project": PROJECT,
    "group": GROUP,
    "api_key": PROJECT_KEY,
    "tenant.group": GROUP,
    "tenant.admin_api_key": ADMIN_KEY,
}
"""What is granted, taken, revoked or made, by the beginning of the type."""
GRANTS = frozenset({EventKind.GRANT_GIVEN, EventKind.GRANT_CHANGED, EventKind.GRANT_TAKEN})

LONGEST = 320
"""No id and no address is longer; a description may be."""


def parse_event(row: Row, place: str) -> Event | None:
    """None for an event of another type than was asked for."""
    type_ = row.get("type")
    kinds = {**TYPES, **TYPES_OF_TENANT}.get(type_) if isinstance(type_, str) else None
    if kinds is None:
        return None
    actor, by_key = _actor(row)
    # What a key does, OpenAI puts down to the default project, wherever it was done.
    place_id = "" if by_key else _text(_object(row, "project"), "id")
    return Event(
        id=row_id(row, place),
        at=required_moment(row, "effective_at", place),
        type=str(type_),
        kinds=kinds & GRANTS or kinds if place_id else kinds,
        about=frozenset(_texts(parse_row(row.get(str(type_)) or {}, f"{place}, details,"))),
        of=next((of for begins, of in OF.items() if str(type_).startswith(f"{begins}.")), ""),
        place_id=place_id,
        actor=_in_words(actor, by_key=by_key),
        actor_id=_text(actor, "id"),
        by_key=by_key,
    )


def _actor(row: Row) -> tuple[Row, bool]:
    """The person or service account, and whether a key of theirs was used. OpenAI may name nobody."""
    actor = _object(row, "actor")
    key = _object(actor, "api_key")
    by_key = actor.get("type") == "api_key" or bool(key)
    who = key if by_key else _object(actor, "session")
    return _object(who, "user") or _object(who, "service_account"), by_key


def _in_words(actor: Row, *, by_key: bool) -> str:
    who = _text(actor, "email") or _text(actor, "id")
    if by_key:
        return f"an API key of {who}" if who else "an API key"
    return f"{who} in OpenAI's console" if who else "somebody whom OpenAI does not name"


def _texts(value: Any, depth: int = 3) -> Iterator[str]:
    """Details of the tenant's events are described nowhere, so that any text in them may be an id."""
    if isinstance(value, str) and 0 < len(value) <= LONGEST and not UNSOUND.search(value):
        yield value
    elif isinstance(value, dict | list) and depth:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner, depth - 1)


def _object(row: Row, key: str) -> Row:
    found = row.get(key)
    return found if isinstance(found, dict) else {}


def _text(row: Row, key: str) -> str:
    return next(_texts(row.get(key), 0), "")
