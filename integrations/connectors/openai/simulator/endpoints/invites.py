"""Invites."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import deleted, endpoint
from integrations.connectors.openai.simulator.listing import style_a
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json


@endpoint("GET", "/organization/invites")
def list_invites(organization: Organization, asked: Asked) -> Json:
    page = organization.listing("invites", organization.invites.values).page(asked.window())
    return style_a(page, [invite.shown(organization.now) for invite in page.rows])


@endpoint("POST", "/organization/invites")
def create_invite(organization: Organization, asked: Asked) -> Json:
    body = asked.body("email", "role", "projects")
    projects = body.roles_by_project("projects")
    return organization.invite_person(body.text("email"), body.text("role"), projects).shown(organization.now)


@endpoint("GET", "/organization/invites/{invite_id}")
def get_invite(organization: Organization, asked: Asked, invite_id: str) -> Json:
    return organization.invite(invite_id).shown(organization.now)


@endpoint("DELETE", "/organization/invites/{invite_id}")
def delete_invite(organization: Organization, asked: Asked, invite_id: str) -> Json:
    organization.withdraw_invite(invite_id)
    return deleted("organization.invite.deleted", invite_id)
