"""Groups in projects. They enter with the id of a role, and are shown without it."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import endpoint
from integrations.connectors.openai.simulator.listing import style_b
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json, ProjectGroup
from integrations.connectors.openai.simulator.refusals import NotFound

PATH = "/organization/projects/{project_id}/groups"


@endpoint("GET", PATH)
def list_project_groups(organization: Organization, asked: Asked, project_id: str) -> Json:
    groups = organization.listing(
        f"groups of {project_id}", lambda: organization.project_groups_of(project_id), key="group_id"
    )
    page = groups.page(asked.window(least=0))
    return style_b(page, [_shown(organization, held) for held in page.rows], key="group_id")


@endpoint("POST", PATH)
def create_project_group(organization: Organization, asked: Asked, project_id: str) -> Json:
    body = asked.body("group_id", "role")
    held = organization.add_group_to_project(project_id, body.text("group_id"), body.text("role"))
    return _shown(organization, held)


@endpoint("GET", PATH + "/{group_id}")
def get_project_group(organization: Organization, asked: Asked, project_id: str, group_id: str) -> Json:
    if asked.choice("group_type", ("group", "tenant_group"), "group") != "group":
        raise NotFound(f"No tenant group found with id '{group_id}'.", param="group_id")
    return _shown(organization, organization.project_group(project_id, group_id))


@endpoint("DELETE", PATH + "/{group_id}")
def delete_project_group(organization: Organization, asked: Asked, project_id: str, group_id: str) -> Json:
    organization.take_group_from_project(project_id, group_id)
    return {"object": "project.group.deleted", "deleted": True}


def _shown(organization: Organization, held: ProjectGroup) -> Json:
    return held.shown(organization.group(held.group_id))
