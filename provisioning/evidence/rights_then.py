"""Who had the rights of an operator or an approver at both ends of a period, and each change between."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group as Role

from cakewalk.ledger.models import Entry
from cakewalk.models import User
from provisioning.evidence.ordering import Stand
from provisioning.evidence.rewinding import Rows, rewound
from provisioning.evidence.rules_then import CHANGE_COLUMNS, changes, told_of

USER, ROLE = "cakewalk.user", "auth.group"

RUNS, APPROVES = "Can start syncs and previews", "Can approve held actions"
"""How the permissions end that make an operator and an approver."""

TOLD_OF_USERS = ("username", "is_active", "is_superuser", "is_staff", "groups", "user_permissions")
TOLD_OF_ROLES = ("name", "permissions")

COLUMNS = ("user", "active", "superuser", "roles", "may_run", "may_approve")

__all__ = ["CHANGE_COLUMNS", "COLUMNS", "RightsThen", "right_changes", "rights_then"]


@dataclass(frozen=True, slots=True)
class RightsThen:
    at_start: list[dict[str, Any]]
    at_end: list[dict[str, Any]]


def rights_then(told: Stand) -> RightsThen:
    users, roles = _users_now(), _roles_now()
    ends = [
        rewound(now, told_of(_about(kind), after=told.last)) for now, kind in ((users, USER), (roles, ROLE))
    ]
    starts = [
        rewound(end, told_of(_about(kind), after=told.before, until=told.last))
        for end, kind in zip(ends, (USER, ROLE), strict=True)
    ]
    return RightsThen(_rows(*starts), _rows(*ends))


def _about(kind: str) -> Any:
    return Entry.objects.filter(object_kind=kind)


def _users_now() -> Rows:
    rows = User.objects.prefetch_related("groups", "user_permissions__content_type").order_by("pk")
    return {
        str(row.pk): {
            "username": row.username,
            "is_active": row.is_active,
            "is_superuser": row.is_superuser,
            "groups": [role.name for role in row.groups.all()],
            "user_permissions": [str(right) for right in row.user_permissions.all()],
        }
        for row in rows
    }


def _roles_now() -> Rows:
    rows = Role.objects.prefetch_related("permissions__content_type").order_by("pk")
    return {
        str(row.pk): {"name": row.name, "permissions": [str(right) for right in row.permissions.all()]}
        for row in rows
    }


def _rows(users: Rows, roles: Rows) -> list[dict[str, Any]]:
    """Those who may run or approve, by name."""
    of_roles = {role.get("name"): role.get("permissions", []) for role in roles.values()}
    rows = [_row(fields, of_roles) for fields in users.values()]
    return sorted((row for row in rows if row["may_run"] or row["may_approve"]), key=lambda row: row["user"])


def _row(fields: Mapping[str, Any], of_roles: Mapping[Any, list[str]]) -> dict[str, Any]:
    held = [
        *fields.get("user_permissions", []),
        *(right for role in fields.get("groups", []) for right in of_roles.get(role, [])),
    ]
    active, superuser = fields.get("is_active", True), fields.get("is_superuser", False)
    return {
        "user": fields.get("username", ""),
        "active": active,
        "superuser": superuser,
        "roles": sorted(fields.get("groups", [])),
        "may_run": active and (superuser or any(right.endswith(RUNS) for right in held)),
        "may_approve": active and (superuser or any(right.endswith(APPROVES) for right in held)),
    }


def right_changes(told: Stand) -> Any:
    """Of users and roles, as far as rights hang on it."""
    named = (*TOLD_OF_USERS, *TOLD_OF_ROLES)
    return changes(
        Entry.objects.filter(object_kind__in=(USER, ROLE)),
        told,
        lambda said: {name: value for name, value in said.items() if name in named},
    )
