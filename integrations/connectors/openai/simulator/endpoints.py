"""OpenAI's administration endpoints over a simulated organization: one function for each. Pure of HTTP."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.listing import Listing, style_a, style_b
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json, Membership
from integrations.connectors.openai.simulator.refusals import MethodNotAllowed, NotFound, Refused

Answerer = Callable[..., Json]

ENDPOINTS: list[tuple[str, re.Pattern[str], Answerer]] = []


def endpoint(method: str, path: str) -> Callable[[Answerer], Answerer]:
    """Each `{name}` in the path becomes an argument of that name."""
    pattern = re.compile("/v1" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def register(answerer: Answerer) -> Answerer:
        ENDPOINTS.append((method, pattern, answerer))
        return answerer

    return register


def answer(organization: Organization, asked: Asked) -> Json:
    """OpenAI's answer to one request; raises Refused, or one of its kinds, where it would be an error."""
    answerer, arguments = _find(asked)
    organization.authenticate(asked.secret, writes=asked.writes)
    organization.let_time_pass()
    return answerer(organization, asked, **arguments)


def _find(asked: Asked) -> tuple[Answerer, dict[str, str]]:
    found = [
        (method, answerer, match)
        for method, pattern, answerer in ENDPOINTS
        if (match := pattern.fullmatch(asked.path))
    ]
    for method, answerer, match in found:
        if method == asked.method:
            return answerer, {name: unquote(value) for name, value in match.groupdict().items()}
    if found:
        raise MethodNotAllowed(f"Not allowed to {asked.method} on {asked.path}.", code="method_not_supported")
    raise NotFound(f"Invalid URL ({asked.method} {asked.path})", code="unknown_url")


# Users


@endpoint("GET", "/organization/users")
def list_users(organization: Organization, asked: Asked) -> Json:
    users = organization.listing("users", organization.users.values)
    if emails := {email.casefold() for email in asked.values("emails")}:
        named = (user for user in organization.users.values() if (user.email or "").casefold() in emails)
        users = Listing(named, lambda user: user.id)
    page = users.page(asked.window())
    return style_a(page, [user.shown() for user in page.rows])


@endpoint("GET", "/organization/users/{user_id}")
def get_user(organization: Organization, asked: Asked, user_id: str) -> Json:
    return organization.user(user_id).shown()


@endpoint("POST", "/organization/users/{user_id}")
def change_user(organization: Organization, asked: Asked, user_id: str) -> Json:
    body = asked.body("role", "role_id", "technical_level", "developer_persona")
    role, role_id = body.optional("role", str), body.optional("role_id", str)
    if role is not None and role_id is not None:
        raise Refused("Send either 'role' or 'role_id', and not both.", param="role_id")
    if role is not None:
        organization.set_organization_role(user_id, role)
    if role_id is not None:
        organization.assign_role(user_id, role_id)
    level, persona = body.optional("technical_level", str), body.optional("developer_persona", str)
    return organization.describe_user(user_id, level, persona).shown()


@endpoint("DELETE", "/organization/users/{user_id}")
def delete_user(organization: Organization, asked: Asked, user_id: str) -> Json:
    organization.remove_user(user_id)
    return _deleted("organization.user.deleted", user_id)


# Invites


@endpoint("GET", "/organization/invites")
def list_invites(organization: Organization, asked: Asked) -> Json:
    page = organization.listing("invites", organization.invites.values).page(asked.window())
    return style_a(page, [invite.shown(organization.now) for invite in page.rows])


@endpoint("POST", "/organization/invites")
def create_invite(organization: Organization, asked: Asked) -> Json:
    body = asked.body("email", "role", "projects")
    projects = body.roles_by_project("projects")
    return organization.invite_person(body.text("email"), body.text("role"), projects).shown(organization.now)


@endpoint("GET", "/organization/invites/{invite_id}")
def get_invite(organization: Organization, asked: Asked, invite_id: str) -> Json:
    return organization.invite(invite_id).shown(organization.now)


@endpoint("DELETE", "/organization/invites/{invite_id}")
def delete_invite(organization: Organization, asked: Asked, invite_id: str) -> Json:
    organization.withdraw_invite(invite_id)
    return _deleted("organization.invite.deleted", invite_id)


# Projects


@endpoint("GET", "/organization/projects")
def list_projects(organization: Organization, asked: Asked) -> Json:
    archived_too = asked.choice("include_archived", ("true", "false"), "false") == "true"
    projects = organization.listing(
        f"projects, archived too: {archived_too}",
        lambda: [p for p in organization.projects.values() if archived_too or p.archived_at is None],
    )
    page = projects.page(asked.window())
    return style_a(page, [project.shown() for project in page.rows])


@endpoint("POST", "/organization/projects")
def create_project(organization: Organization, asked: Asked) -> Json:
    body = asked.body("name", "external_key_id", "residency", "geography")
    facts = {"external_key_id": body.optional("external_key_id", str)}
    residency = body.optional("residency", str) or "GLOBAL"
    return organization.add_project(body.text("name"), residency=residency, **facts).shown()


@endpoint("GET", "/organization/projects/{project_id}")
def get_project(organization: Organization, asked: Asked, project_id: str) -> Json:
    return organization.project(project_id).shown()


@endpoint("POST", "/organization/projects/{project_id}")
def change_project(organization: Organization, asked: Asked, project_id: str) -> Json:
    body = asked.body("name", "external_key_id", "geography")
    name, external_key = body.optional("name", str), body.optional("external_key_id", str)
    return organization.change_project(project_id, name, external_key).shown()


@endpoint("POST", "/organization/projects/{project_id}/archive")
def archive_project(organization: Organization, asked: Asked, project_id: str) -> Json:
    return organization.archive_project(project_id).shown()


# People in projects


@endpoint("GET", "/organization/projects/{project_id}/users")
def list_project_users(organization: Organization, asked: Asked, project_id: str) -> Json:
    members = organization.listing(
        f"members of {project_id}", lambda: organization.members_of(project_id), key="user_id"
    )
    page = members.page(asked.window())
    return style_a(page, [_shown_member(organization, held) for held in page.rows])


@endpoint("POST", "/organization/projects/{project_id}/users")
def create_project_user(organization: Organization, asked: Asked, project_id: str) -> Json:
    body = asked.body("user_id", "email", "role")
    user_id, email = body.optional("user_id", str), body.optional("email", str)
    if (user_id is None) == (email is None):
        raise Refused("Send exactly one of 'user_id' and 'email'.", param="user_id")
    user = organization.find_user(email) if email else organization.user(user_id or "")
    return _shown_member(organization, organization.give_project(project_id, user, body.text("role")))


@endpoint("GET", "/organization/projects/{project_id}/users/{user_id}")
def get_project_user(organization: Organization, asked: Asked, project_id: str, user_id: str) -> Json:
    return _shown_member(organization, organization.member_of(project_id, user_id))


@endpoint("POST", "/organization/projects/{project_id}/users/{user_id}")
def change_project_user(organization: Organization, asked: Asked, project_id: str, user_id: str) -> Json:
    role = asked.body("role").optional("role", str)
    return _shown_member(organization, organization.change_in_project(project_id, user_id, role))


@endpoint("DELETE", "/organization/projects/{project_id}/users/{user_id}")
def delete_project_user(organization: Organization, asked: Asked, project_id: str, user_id: str) -> Json:
    organization.take_project(project_id, user_id)
    return _deleted("organization.project.user.deleted", user_id)


def _shown_member(organization: Organization, held: Membership) -> Json:
    return held.shown(organization.user(held.user_id))


# Service accounts and keys of projects


@endpoint("GET", "/organization/projects/{project_id}/service_accounts")
def list_service_accounts(organization: Organization, asked: Asked, project_id: str) -> Json:
    organization.active_project(project_id)
    accounts = organization.listing(
        f"service accounts of {project_id}", lambda: organization.service_accounts_of(project_id)
    )
    page = accounts.page(asked.window())
    return style_a(page, [account.shown() for account in page.rows])


@endpoint("POST", "/organization/projects/{project_id}/service_accounts")
def create_service_account(organization: Organization, asked: Asked, project_id: str) -> Json:
    body = asked.body("name", "create_service_account_only")
    project = organization.active_project(project_id)
    if body.optional("create_service_account_only", bool):
        account = organization.add_service_account(project.id, body.text("name"), role="none")
        return {**account.shown(), "api_key": None}
    account = organization.add_service_account(project.id, body.text("name"))
    key = organization.add_project_key(project.id, account.id)
    shown_key = {
        "object": "organization.project.service_account.api_key",
        "id": key.id,
        "name": key.name,
        "created_at": key.created_at,
        "value": key.value,
    }
    return {**account.shown(), "api_key": shown_key}


@endpoint("GET", "/organization/projects/{project_id}/service_accounts/{account_id}")
def get_service_account(organization: Organization, asked: Asked, project_id: str, account_id: str) -> Json:
    return organization.service_account(project_id, account_id).shown()


@endpoint("DELETE", "/organization/projects/{project_id}/service_accounts/{account_id}")
def delete_service_account(
    organization: Organization, asked: Asked, project_id: str, account_id: str
) -> Json:
    organization.delete_service_account(project_id, account_id)
    return _deleted("organization.project.service_account.deleted", account_id)


@endpoint("GET", "/organization/projects/{project_id}/api_keys")
def list_project_keys(organization: Organization, asked: Asked, project_id: str) -> Json:
    """OpenAI hides keys whose owner has left the project unless `owner_project_access` asks for them."""
    organization.project(project_id)
    access = asked.choice("owner_project_access", ("active", "inactive", "any"), "active")
    keys = organization.listing(
        f"keys of {project_id}, {access}",
        lambda: [
            key
            for key in organization.keys_of_project(project_id)
            if access == "any" or organization.key_owner_has_access(key) == (access == "active")
        ],
    )
    page = keys.page(asked.window())
    return style_a(page, [organization.show_project_key(key) for key in page.rows])


@endpoint("GET", "/organization/projects/{project_id}/api_keys/{key_id}")
def get_project_key(organization: Organization, asked: Asked, project_id: str, key_id: str) -> Json:
    return organization.show_project_key(organization.project_key_record(project_id, key_id))


@endpoint("DELETE", "/organization/projects/{project_id}/api_keys/{key_id}")
def delete_project_key(organization: Organization, asked: Asked, project_id: str, key_id: str) -> Json:
    organization.delete_project_key(project_id, key_id)
    return _deleted("organization.project.api_key.deleted", key_id)


# Admin keys


@endpoint("GET", "/organization/admin_api_keys")
def list_admin_keys(organization: Organization, asked: Asked) -> Json:
    page = organization.listing("admin keys", organization.admin_keys.values).page(asked.window())
    return style_a(page, [key.shown(organization.user(key.owner_id)) for key in page.rows])


@endpoint("POST", "/organization/admin_api_keys")
def create_admin_key(organization: Organization, asked: Asked) -> Json:
    """The new key belongs to whoever owns the one in use, and shows its value this once."""
    body = asked.body("name", "expires_in_seconds")
    owner = organization.user(organization.owner_of(asked.secret or ""))
    life = body.optional("expires_in_seconds", int)
    key = organization.create_admin_key(body.text("name"), owner.id, life=life)
    return {**key.shown(owner), "value": key.value}


@endpoint("GET", "/organization/admin_api_keys/{key_id}")
def get_admin_key(organization: Organization, asked: Asked, key_id: str) -> Json:
    key = organization.admin_key_record(key_id)
    return key.shown(organization.user(key.owner_id))


@endpoint("DELETE", "/organization/admin_api_keys/{key_id}")
def delete_admin_key(organization: Organization, asked: Asked, key_id: str) -> Json:
    organization.delete_admin_key(key_id)
    return _deleted("organization.admin_api_key.deleted", key_id)


# Groups


@endpoint("GET", "/organization/groups")
def list_groups(organization: Organization, asked: Asked) -> Json:
    window = asked.window(least=0, default=100, most=1000)
    page = organization.listing("groups", organization.groups.values).page(window)
    return style_b(page, [group.shown() for group in page.rows])


@endpoint("POST", "/organization/groups")
def create_group(organization: Organization, asked: Asked) -> Json:
    return organization.add_group(asked.body("name").text("name")).shown()


@endpoint("GET", "/organization/groups/{group_id}")
def get_group(organization: Organization, asked: Asked, group_id: str) -> Json:
    return organization.group(group_id).shown()


@endpoint("POST", "/organization/groups/{group_id}")
def change_group(organization: Organization, asked: Asked, group_id: str) -> Json:
    return organization.rename_group(group_id, asked.body("name").text("name")).shown_renamed()


@endpoint("DELETE", "/organization/groups/{group_id}")
def delete_group(organization: Organization, asked: Asked, group_id: str) -> Json:
    organization.delete_group(group_id)
    return _deleted("group.deleted", group_id)


@endpoint("GET", "/organization/groups/{group_id}/users")
def list_group_users(organization: Organization, asked: Asked, group_id: str) -> Json:
    group = organization.group(group_id)
    members = organization.listing(
        f"users of {group_id}", lambda: [organization.user(member) for member in group.user_ids]
    )
    page = members.page(asked.window(least=0, default=100, most=1000, order="desc"))
    return style_b(page, [user.shown_in_group() for user in page.rows])


@endpoint("POST", "/organization/groups/{group_id}/users")
def create_group_user(organization: Organization, asked: Asked, group_id: str) -> Json:
    user = organization.user(asked.body("user_id").text("user_id"))
    organization.add_to_group(group_id, user.id)
    return {"object": "group.user", "user_id": user.id, "group_id": group_id}


@endpoint("GET", "/organization/groups/{group_id}/users/{user_id}")
def get_group_user(organization: Organization, asked: Asked, group_id: str, user_id: str) -> Json:
    if user_id not in organization.group(group_id).user_ids:
        raise NotFound(f"User '{user_id}' was not found in group '{group_id}'.", param="user_id")
    return organization.user(user_id).shown_alone_in_group()


@endpoint("DELETE", "/organization/groups/{group_id}/users/{user_id}")
def delete_group_user(organization: Organization, asked: Asked, group_id: str, user_id: str) -> Json:
    organization.remove_from_group(group_id, user_id)
    return {"object": "group.user.deleted", "deleted": True}


# Roles


@endpoint("GET", "/organization/roles")
def list_roles(organization: Organization, asked: Asked) -> Json:
    window = asked.window(least=0, default=1000, most=1000)
    page = organization.listing("roles", organization.roles.values).page(window)
    return style_b(page, [role.shown() for role in page.rows])


@endpoint("POST", "/organization/roles")
def create_role(organization: Organization, asked: Asked) -> Json:
    body = asked.body("role_name", "permissions", "description")
    description = body.optional("description", str)
    return organization.add_role(body.text("role_name"), body.texts("permissions"), description).shown()


@endpoint("GET", "/organization/roles/{role_id}")
def get_role(organization: Organization, asked: Asked, role_id: str) -> Json:
    return organization.role(role_id).shown()


@endpoint("POST", "/organization/roles/{role_id}")
def change_role(organization: Organization, asked: Asked, role_id: str) -> Json:
    body = asked.body("role_name", "permissions", "description")
    name, description = body.optional("role_name", str), body.optional("description", str)
    permissions: list[Any] | None = body.optional("permissions", list)
    return organization.change_role(role_id, name, permissions, description).shown()


@endpoint("DELETE", "/organization/roles/{role_id}")
def delete_role(organization: Organization, asked: Asked, role_id: str) -> Json:
    organization.delete_role(role_id)
    return _deleted("role.deleted", role_id)


@endpoint("GET", "/organization/users/{user_id}/roles")
def list_user_roles(organization: Organization, asked: Asked, user_id: str) -> Json:
    window = asked.window(least=0, default=1000, most=1000)
    page = organization.listing(f"roles of {user_id}", lambda: organization.roles_of(user_id)).page(window)
    return style_b(page, [role.shown_assigned() for role in page.rows])


@endpoint("POST", "/organization/users/{user_id}/roles")
def create_user_role(organization: Organization, asked: Asked, user_id: str) -> Json:
    role = organization.assign_role(user_id, asked.body("role_id").text("role_id"))
    return {"object": "user.role", "user": organization.user(user_id).shown(), "role": role.shown()}


@endpoint("GET", "/organization/users/{user_id}/roles/{role_id}")
def get_user_role(organization: Organization, asked: Asked, user_id: str, role_id: str) -> Json:
    return organization.held_role(user_id, role_id).shown_assigned()


@endpoint("DELETE", "/organization/users/{user_id}/roles/{role_id}")
def delete_user_role(organization: Organization, asked: Asked, user_id: str, role_id: str) -> Json:
    organization.unassign_role(user_id, role_id)
    return {"object": "user.role.deleted", "deleted": True}


def _deleted(kind: str, record_id: str) -> Json:
    return {"object": kind, "id": record_id, "deleted": True}
