"""People in projects."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import deleted, endpoint
from integrations.connectors.openai.simulator.listing import style_a
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json, Membership
from integrations.connectors.openai.simulator.refusals import Refused


@endpoint("GET", "/organization/projects/{project_id}/users")
def list_project_users(organization: Organization, asked: Asked, project_id: str) -> Json:
    members = organization.listing(
        f"members of {project_id}", lambda: organization.members_of(project_id), key="user_id"
    )
    page = members.page(asked.window())
    return style_a(page, [_shown_member(organization, held) for held in page.rows])


@endpoint("POST", "/organization/projects/{project_id}/users")
def create_project_user(organization: Organization, asked: Asked, project_id: str) -> Json:
    body = asked.body("user_id", "email", "role")
    user_id, email = body.optional("user_id", str), body.optional("email", str)
    if (user_id is None) == (email is None):
        raise Refused("Send exactly one of 'user_id' and 'email'.", param="user_id")
    user = organization.find_user(email) if email else organization.user(user_id or "")
    return _shown_member(organization, organization.give_project(project_id, user, body.text("role")))


@endpoint("GET", "/organization/projects/{project_id}/users/{user_id}")
def get_project_user(organization: Organization, asked: Asked, project_id: str, user_id: str) -> Json:
    return _shown_member(organization, organization.member_of(project_id, user_id))


@endpoint("POST", "/organization/projects/{project_id}/users/{user_id}")
def change_project_user(organization: Organization, asked: Asked, project_id: str, user_id: str) -> Json:
    role = asked.body("role").optional("role", str)
    return _shown_member(organization, organization.change_in_project(project_id, user_id, role))


@endpoint("DELETE", "/organization/projects/{project_id}/users/{user_id}")
def delete_project_user(organization: Organization, asked: Asked, project_id: str, user_id: str) -> Json:
    organization.take_project(project_id, user_id)
    return deleted("organization.project.user.deleted", user_id)


def _shown_member(organization: Organization, held: Membership) -> Json:
    return held.shown(organization.user(held.user_id))
