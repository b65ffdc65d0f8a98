"""Keys of projects."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import deleted, endpoint
from integrations.connectors.openai.simulator.listing import style_a
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json
from integrations.connectors.openai.simulator.refusals import Refused


@endpoint("GET", "/organization/projects/{project_id}/api_keys")
def list_project_keys(organization: Organization, asked: Asked, project_id: str) -> Json:
    """Without `owner_project_access`, OpenAI hides keys whose owner is not in the project by name."""
    organization.project(project_id)
    access = None
    if asked.first("owner_project_access") is not None:
        access = asked.choice("owner_project_access", ("active", "inactive", "any"), "any")
    keys = organization.listing(
        f"keys of {project_id}, {access}", lambda: organization.keys_of_project(project_id, access)
    )
    page = keys.page(asked.window())
    return style_a(page, [organization.show_project_key(key) for key in page.rows])


@endpoint("GET", "/organization/projects/{project_id}/api_keys/{key_id}")
def get_project_key(organization: Organization, asked: Asked, project_id: str, key_id: str) -> Json:
    return organization.show_project_key(organization.project_key_record(project_id, key_id))


@endpoint("POST", "/organization/projects/{project_id}/api_keys/{key_id}")
def change_project_key(organization: Organization, asked: Asked, project_id: str, key_id: str) -> Json:
    """Known to OpenAI's SDK, and not to its published description."""
    body = asked.body("scopes", "expires_in_seconds")
    for name in ("scopes", "expires_in_seconds"):
        if body.has(name) and body.optional(name, object) is None:
            raise Refused(f"Invalid type for '{name}': null is not accepted.", param=name)
    if not body.has("scopes") and not body.has("expires_in_seconds"):
        raise Refused("Send at least one of 'scopes' and 'expires_in_seconds'.")
    scopes = body.texts("scopes") if body.has("scopes") else None
    life = body.optional("expires_in_seconds", int)
    return organization.show_project_key(organization.change_project_key(project_id, key_id, scopes, life))


@endpoint("DELETE", "/organization/projects/{project_id}/api_keys/{key_id}")
def delete_project_key(organization: Organization, asked: Asked, project_id: str, key_id: str) -> Json:
    organization.delete_project_key(project_id, key_id)
    return deleted("organization.project.api_key.deleted", key_id)
