"""Projects."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import endpoint
from integrations.connectors.openai.simulator.listing import style_a
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json


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
