"""Rows as OpenAI sends them, pages of them, and keys that exist nowhere."""

import json
from collections.abc import Sequence
from typing import Any

ADMIN_KEY = "sk-admin-" + "x" * 36 + "wxyz"


def user(user_id: str = "user-1", **fields: Any) -> dict[str, Any]:
    row = {"object": "organization.user", "id": user_id, "email": f"{user_id}@example.org"}
    return row | {"name": "Ada Byron", "role": "reader", "added_at": 1_760_000_000} | fields


def invite(invite_id: str = "invite-1", **fields: Any) -> dict[str, Any]:
    row = {"object": "organization.invite", "id": invite_id, "email": f"{invite_id}@example.org"}
    return row | {"role": "reader", "status": "pending", "created_at": 1_760_000_000, "projects": []} | fields


def project(project_id: str = "proj_1", **fields: Any) -> dict[str, Any]:
    row = {"object": "organization.project", "id": project_id, "name": "Search", "status": "active"}
    return row | {"created_at": 1_750_000_000, "archived_at": None} | fields


def group(group_id: str = "group_1", **fields: Any) -> dict[str, Any]:
    row = {"id": group_id, "name": "Platform", "created_at": 1_757_000_000}
    return row | {"is_scim_managed": False, "group_type": "group"} | fields


def page(rows: Sequence[Any], **fields: Any) -> dict[str, Any]:
    """A page of users, invites or projects; the last one unless `has_more` says otherwise."""
    ids = [row["id"] for row in rows if isinstance(row, dict) and "id" in row]
    edges = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
    return {"object": "list", "data": list(rows), "has_more": False} | edges | fields


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def body(answer: Any) -> bytes:
    return json.dumps(answer).encode()
