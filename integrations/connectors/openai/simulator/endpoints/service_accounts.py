"""Accounts of machines in projects."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import deleted, endpoint
from integrations.connectors.openai.simulator.listing import style_a
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json
from integrations.connectors.openai.simulator.refusals import Refused


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
    body = asked.body("name", "create_service_account_only", "expires_in_seconds")
    project = organization.active_project(project_id)
    life = body.optional("expires_in_seconds", int)
    if body.optional("create_service_account_only", bool):
        if life is not None:
            raise Refused("Without a key, 'expires_in_seconds' must be null.", param="expires_in_seconds")
        account = organization.add_service_account(project.id, body.text("name"), role="none")
        return {**account.shown(), "api_key": None}
    account = organization.add_service_account(project.id, body.text("name"))
    key = organization.add_project_key(project.id, account.id, life=life)
    return {**account.shown(), "api_key": key.shown_with_value()}


@endpoint("GET", "/organization/projects/{project_id}/service_accounts/{account_id}")
def get_service_account(organization: Organization, asked: Asked, project_id: str, account_id: str) -> Json:
    return organization.service_account(project_id, account_id).shown()


@endpoint("POST", "/organization/projects/{project_id}/service_accounts/{account_id}")
def change_service_account(
    organization: Organization, asked: Asked, project_id: str, account_id: str
) -> Json:
    body = asked.body("name", "role")
    name, role = body.optional("name", str), body.optional("role", str)
    if role not in (None, "owner", "member"):
        raise Refused(f"Invalid role '{role}'. Expected one of: member, owner.", param="role")
    return organization.change_service_account(project_id, account_id, name, role).shown()


@endpoint("DELETE", "/organization/projects/{project_id}/service_accounts/{account_id}")
def delete_service_account(
    organization: Organization, asked: Asked, project_id: str, account_id: str
) -> Json:
    organization.delete_service_account(project_id, account_id)
    return deleted("organization.project.service_account.deleted", account_id)


@endpoint("POST", "/organization/projects/{project_id}/service_accounts/{account_id}/api_keys")
def create_service_account_key(
    organization: Organization, asked: Asked, project_id: str, account_id: str
) -> Json:
    body = asked.body("name", "scopes", "expires_in_seconds")
    account = organization.service_account(project_id, account_id)
    scopes = body.texts("scopes") if body.has("scopes") else []
    key = organization.add_project_key(
        project_id,
        account.id,
        body.optional("name", str) or "Secret key",
        life=body.optional("expires_in_seconds", int),
        scopes=scopes,
    )
    return key.shown_with_value()
