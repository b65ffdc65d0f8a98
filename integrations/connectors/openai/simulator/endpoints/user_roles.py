"""Roles of people, in the organization and in projects."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import endpoint
from integrations.connectors.openai.simulator.listing import style_b
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json


@endpoint("GET", "/organization/users/{user_id}/roles")
def list_user_roles(organization: Organization, asked: Asked, user_id: str) -> Json:
    roles = organization.listing(f"roles of {user_id}", lambda: organization.roles_of(user_id))
    page = roles.page(asked.window(least=0, default=1000, most=1000))
    return style_b(page, [held.shown() for held in page.rows])


@endpoint("POST", "/organization/users/{user_id}/roles")
def create_user_role(organization: Organization, asked: Asked, user_id: str) -> Json:
    role = organization.assign_role(user_id, asked.body("role_id").text("role_id"))
    return {"object": "user.role", "user": organization.user(user_id).shown(), "role": role.shown()}


@endpoint("GET", "/organization/users/{user_id}/roles/{role_id}")
def get_user_role(organization: Organization, asked: Asked, user_id: str, role_id: str) -> Json:
    return organization.held_role(user_id, role_id).shown()


@endpoint("DELETE", "/organization/users/{user_id}/roles/{role_id}")
def delete_user_role(organization: Organization, asked: Asked, user_id: str, role_id: str) -> Json:
    organization.unassign_role(user_id, role_id)
    return {"object": "user.role.deleted", "deleted": True}


@endpoint("GET", "/projects/{project_id}/users/{user_id}/roles")
def list_project_user_roles(organization: Organization, asked: Asked, project_id: str, user_id: str) -> Json:
    roles = organization.listing(
        f"roles of {user_id} in {project_id}", lambda: organization.roles_in_project(project_id, user_id)
    )
    page = roles.page(asked.window(least=0, default=1000, most=1000))
    return style_b(page, [held.shown() for held in page.rows])


@endpoint("POST", "/projects/{project_id}/users/{user_id}/roles")
def create_project_user_role(organization: Organization, asked: Asked, project_id: str, user_id: str) -> Json:
    role = organization.assign_role_in_project(project_id, user_id, asked.body("role_id").text("role_id"))
    return {"object": "user.role", "user": organization.user(user_id).shown(), "role": role.shown()}


@endpoint("GET", "/projects/{project_id}/users/{user_id}/roles/{role_id}")
def get_project_user_role(
    organization: Organization, asked: Asked, project_id: str, user_id: str, role_id: str
) -> Json:
    return organization.held_in_project(project_id, user_id, role_id).shown()


@endpoint("DELETE", "/projects/{project_id}/users/{user_id}/roles/{role_id}")
def delete_project_user_role(
    organization: Organization, asked: Asked, project_id: str, user_id: str, role_id: str
) -> Json:
    organization.unassign_role_in_project(project_id, user_id, role_id)
    return {"object": "user.role.deleted", "deleted": True}
