"""Roles of projects, whose paths begin without `/organization`."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import deleted, endpoint
from integrations.connectors.openai.simulator.listing import style_b
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json, Role


@endpoint("GET", "/projects/{project_id}/roles")
def list_project_roles(organization: Organization, asked: Asked, project_id: str) -> Json:
    project = organization.active_project(project_id)
    roles = organization.listing(f"roles in {project_id}", lambda: organization.project_roles(project.id))
    page = roles.page(asked.window(least=0, default=1000, most=1000))
    return style_b(page, [role.shown() for role in page.rows])


@endpoint("POST", "/projects/{project_id}/roles")
def create_project_role(organization: Organization, asked: Asked, project_id: str) -> Json:
    body = asked.body("role_name", "permissions", "description")
    name, description = body.text("role_name"), body.optional("description", str)
    project = organization.active_project(project_id)
    return organization.add_role(name, body.texts("permissions"), description, project_id=project.id).shown()


@endpoint("GET", "/projects/{project_id}/roles/{role_id}")
def get_project_role(organization: Organization, asked: Asked, project_id: str, role_id: str) -> Json:
    return _role(organization, project_id, role_id).shown()


@endpoint("POST", "/projects/{project_id}/roles/{role_id}")
def change_project_role(organization: Organization, asked: Asked, project_id: str, role_id: str) -> Json:
    body = asked.body("role_name", "permissions", "description")
    name, description = body.optional("role_name", str), body.optional("description", str)
    role = _role(organization, project_id, role_id)
    return organization.change_role(role, name, body.optional_texts("permissions"), description).shown()


@endpoint("DELETE", "/projects/{project_id}/roles/{role_id}")
def delete_project_role(organization: Organization, asked: Asked, project_id: str, role_id: str) -> Json:
    role = _role(organization, project_id, role_id)
    organization.delete_role(role)
    return deleted("role.deleted", role.id)


def _role(organization: Organization, project_id: str, role_id: str) -> Role:
    return organization.project_role(organization.active_project(project_id).id, role_id)
