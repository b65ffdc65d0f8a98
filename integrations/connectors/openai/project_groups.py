"""Groups in projects: a group enters a project with a role, and leaves it with its last one. Ids of roles
that come back may differ from those that were sent, so OpenAI's own are known by their names.
"""

from collections.abc import Collection, Sequence
from functools import partial

from integrations.connectors.base import Entitlement, GroupGrants, PlaceRole, Receipt
from integrations.connectors.openai.client import OpenAIClient
from integrations.connectors.openai.ids import parted, within
from integrations.connectors.openai.parsing import PROJECT_ROLE, TENANT_GROUP, GroupRole

SHORT = "role-api-project-"
"""How the ids of OpenAI's own roles begin. With nothing but the name behind it OpenAI takes it, too."""

OWN_ROLES = ("viewer", "member", "owner")


def fetch(
    client: OpenAIClient, groups: Collection[Entitlement], projects: Collection[Entitlement]
) -> GroupGrants:
    roles: list[PlaceRole] = []
    held: dict[tuple[str, str], tuple[PlaceRole, ...]] = {}
    for here, held_here in client.side_by_side([partial(_in_project, groups, one) for one in projects]):
        roles += here
        held |= held_here
    holding = sorted({group_id for (group_id, _), some in held.items() if some})
    names = {group.id: group.name for group in groups}
    users = client.side_by_side([partial(_users_of, id, names[id]) for id in holding])
    members = {id: tuple(sorted(found)) for id, found in zip(holding, users, strict=True)}
    # One that an identity provider feeds may be given roles: only its members are the provider's.
    closed = {group.id: group.unmanageable for group in groups if group.unmanageable == TENANT_GROUP}
    return GroupGrants(tuple(roles), held, members, closed)


def _in_project(
    groups: Collection[Entitlement], project: Entitlement, client: OpenAIClient
) -> tuple[list[PlaceRole], dict[tuple[str, str], tuple[PlaceRole, ...]]]:
    """Its roles, and those that these groups hold there."""
    here = _roles_of(client, project)
    present = set(client.list_project_groups(project.id, project.name))
    held = {}
    for group in groups:
        if group.id in present:
            shown = client.list_project_group_roles(project.id, group.id)
            held[group.id, project.id] = tuple(_as_held(project, one, here) for one in shown if one.own)
    return here, held


def _users_of(group_id: str, name: str, client: OpenAIClient) -> list[str]:
    return [user.id for user in client.list_group_users(group_id, name)]


def _roles_of(client: OpenAIClient, project: Entitlement) -> list[PlaceRole]:
    """OpenAI's own among them, whether the list has them or not."""
    listed = client.list_project_roles(project.id, project.name)
    lacking = [name for name in OWN_ROLES if name not in {role.name for role in listed if role.unmanageable}]
    return [_role(project, f"{SHORT}{name}", name) for name in lacking] + [
        _role(project, role.id, role.name) for role in listed
    ]


def _role(project: Entitlement, role_id: str, name: str) -> PlaceRole:
    right = Entitlement(PROJECT_ROLE, within(project.id, role_id), f"{project.name}: {name}")
    return PlaceRole(project.id, name, right)


def _as_held(project: Entitlement, shown: GroupRole, here: Sequence[PlaceRole]) -> PlaceRole:
    by_id = (role for role in here if parted(role.right.id)[1] == shown.id)
    by_name = (
        role for role in here if _is_own_role(role.right) and shown.predefined and role.name == shown.name
    )
    return next(by_id, None) or next(by_name, None) or _role(project, shown.id, shown.name)


def _is_own_role(right: Entitlement) -> bool:
    return parted(right.id)[1].startswith(SHORT)


def _is(shown: GroupRole, right: Entitlement) -> bool:
    """Whether a role, as it is shown, is this one."""
    if shown.predefined and _is_own_role(right):
        return right.name.endswith(f": {shown.name}")
    return parted(right.id)[1] == shown.id


def _held(client: OpenAIClient, group_id: str, project_id: str) -> list[GroupRole] | None:
    """None where the group is not in the project at all."""
    if client.retrieve_project_group(project_id, group_id) is None:
        return None
    return [role for role in client.list_project_group_roles(project_id, group_id) if role.own]


def holds(client: OpenAIClient, group_id: str, right: Entitlement) -> bool:
    project_id, _ = parted(right.id)
    return any(_is(role, right) for role in _held(client, group_id, project_id) or ())


def grant(client: OpenAIClient, group_id: str, right: Entitlement) -> Receipt:
    project_id, role_id = parted(right.id)
    held = _held(client, group_id, project_id)
    if held is None:
        return client.create_project_group(project_id, group_id, role_id)
    if any(_is(role, right) for role in held):
        return Receipt(None)
    return client.create_project_group_role(project_id, group_id, role_id, lambda told: _is(told, right))


def revoke(client: OpenAIClient, group_id: str, right: Entitlement) -> Receipt:
    """A group of which nothing would be left in the project leaves it."""
    project_id, _ = parted(right.id)
    held = _held(client, group_id, project_id) or []
    mine = next((role for role in held if _is(role, right)), None)
    if mine is None:
        return Receipt(None)
    if len(held) == 1:
        return client.delete_project_group(project_id, group_id)
    return client.delete_project_group_role(project_id, group_id, mine.id)
