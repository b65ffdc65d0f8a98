"""Roles of the organization."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import deleted, endpoint
from integrations.connectors.openai.simulator.listing import style_b
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json


@endpoint("GET", "/organization/roles")
def list_roles(organization: Organization, asked: Asked) -> Json:
    window = asked.window(least=0, default=1000, most=1000)
    page = organization.listing("roles", organization.organization_roles).page(window)
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
    permissions = body.optional_texts("permissions")
    return organization.change_role(organization.role(role_id), name, permissions, description).shown()


@endpoint("DELETE", "/organization/roles/{role_id}")
def delete_role(organization: Organization, asked: Asked, role_id: str) -> Json:
    organization.delete_role(organization.role(role_id))
    return deleted("role.deleted", role_id)
