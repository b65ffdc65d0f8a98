"""Members of the organization."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import deleted, endpoint
from integrations.connectors.openai.simulator.listing import Listing, style_a
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json
from integrations.connectors.openai.simulator.refusals import Refused


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
    return deleted("organization.user.deleted", user_id)
