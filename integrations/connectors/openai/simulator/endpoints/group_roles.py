"""Roles of groups, in the organization and in projects."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import endpoint
from integrations.connectors.openai.simulator.listing import style_b
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json


@endpoint("GET", "/organization/groups/{group_id}/roles")
def list_group_roles(organization: Organization, asked: Asked, group_id: str) -> Json:
    roles = organization.listing(f"roles of {group_id}", lambda: organization.roles_of_group(group_id))
    page = roles.page(asked.window(least=0, default=1000, most=1000))
    return style_b(page, [held.shown() for held in page.rows])


@endpoint("POST", "/organization/groups/{group_id}/roles")
def create_group_role(organization: Organization, asked: Asked, group_id: str) -> Json:
    role = organization.assign_role_to_group(group_id, asked.body("role_id").text("role_id"))
    return {
        "object": "group.role",
        "group": organization.group(group_id).shown_with_role(),
        "role": role.shown(),
    }


@endpoint("GET", "/organization/groups/{group_id}/roles/{role_id}")
def get_group_role(organization: Organization, asked: Asked, group_id: str, role_id: str) -> Json:
    return organization.held_by_group(group_id, role_id).shown()


@endpoint("DELETE", "/organization/groups/{group_id}/roles/{role_id}")
def delete_group_role(organization: Organization, asked: Asked, group_id: str, role_id: str) -> Json:
    organization.unassign_role_from_group(group_id, role_id)
    return {"object": "group.role.deleted", "deleted": True}


@endpoint("GET", "/projects/{project_id}/groups/{group_id}/roles")
def list_project_group_roles(
    organization: Organization, asked: Asked, project_id: str, group_id: str
) -> Json:
    roles = organization.listing(
        f"roles of {group_id} in {project_id}",
        lambda: organization.roles_of_group_in_project(project_id, group_id),
    )
    page = roles.page(asked.window(least=0, default=1000, most=1000))
    return style_b(page, [held.shown() for held in page.rows])


@endpoint("POST", "/projects/{project_id}/groups/{group_id}/roles")
def create_project_group_role(
    organization: Organization, asked: Asked, project_id: str, group_id: str
) -> Json:
    role = organization.assign_role_to_group_in_project(
        project_id, group_id, asked.body("role_id").text("role_id")
    )
    return {
        "object": "group.role",
        "group": organization.group(group_id).shown_with_role(),
        "role": role.shown(),
    }


@endpoint("GET", "/projects/{project_id}/groups/{group_id}/roles/{role_id}")
def get_project_group_role(
    organization: Organization, asked: Asked, project_id: str, group_id: str, role_id: str
) -> Json:
    return organization.held_by_group_in_project(project_id, group_id, role_id).shown()


@endpoint("DELETE", "/projects/{project_id}/groups/{group_id}/roles/{role_id}")
def delete_project_group_role(
    organization: Organization, asked: Asked, project_id: str, group_id: str, role_id: str
) -> Json:
    organization.unassign_role_from_group_in_project(project_id, group_id, role_id)
    return {"object": "group.role.deleted", "deleted": True}
