"""Admin keys."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import deleted, endpoint
from integrations.connectors.openai.simulator.listing import style_a
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import AdminKey, Json, ProjectKey


@endpoint("GET", "/organization/admin_api_keys")
def list_admin_keys(organization: Organization, asked: Asked) -> Json:
    """Where the organization is told so, project keys are among them, as has been seen."""
    mislabelled = organization.behaviour.mislabels_project_keys
    keys = organization.listing(f"admin keys, {mislabelled}", lambda: _listed_keys(organization))
    page = keys.page(asked.window())
    return style_a(page, [_shown(organization, key) for key in page.rows])


@endpoint("POST", "/organization/admin_api_keys")
def create_admin_key(organization: Organization, asked: Asked) -> Json:
    """The new key belongs to whoever owns the one in use, and shows its value this once."""
    body = asked.body("name", "expires_in_seconds")
    owner = organization.present_or_departed(organization.owner_of(asked.secret or ""))
    life = body.optional("expires_in_seconds", int)
    key = organization.create_admin_key(body.text("name"), owner.id, life=life)
    return {**key.shown(owner), "value": key.value}


@endpoint("GET", "/organization/admin_api_keys/{key_id}")
def get_admin_key(organization: Organization, asked: Asked, key_id: str) -> Json:
    key = organization.admin_key_record(key_id)
    return _shown(organization, key)


@endpoint("DELETE", "/organization/admin_api_keys/{key_id}")
def delete_admin_key(organization: Organization, asked: Asked, key_id: str) -> Json:
    organization.delete_admin_key(key_id)
    return deleted("organization.admin_api_key.deleted", key_id)


def _listed_keys(organization: Organization) -> list[AdminKey | ProjectKey]:
    keys: list[AdminKey | ProjectKey] = [*organization.admin_keys.values()]
    if organization.behaviour.mislabels_project_keys:
        keys += organization.project_keys.values()
    return sorted(keys, key=lambda key: key.created_at)


def _shown(organization: Organization, key: AdminKey | ProjectKey) -> Json:
    if isinstance(key, ProjectKey):
        return key.shown_as_admin_key(organization.show_key_owner(key))
    return key.shown(organization.present_or_departed(key.owner_id))
