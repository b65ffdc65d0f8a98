"""Groups of the organization, and who is in them."""

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.endpoints.routing import deleted, endpoint
from integrations.connectors.openai.simulator.listing import style_b
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.records import Json
from integrations.connectors.openai.simulator.refusals import NotFound


@endpoint("GET", "/organization/groups")
def list_groups(organization: Organization, asked: Asked) -> Json:
    window = asked.window(least=0, default=100, most=1000)
    page = organization.listing("groups", organization.groups.values).page(window)
    return style_b(page, [group.shown() for group in page.rows])


@endpoint("POST", "/organization/groups")
def create_group(organization: Organization, asked: Asked) -> Json:
    return organization.add_group(asked.body("name").text("name")).shown()


@endpoint("GET", "/organization/groups/{group_id}")
def get_group(organization: Organization, asked: Asked, group_id: str) -> Json:
    return organization.group(group_id).shown()


@endpoint("POST", "/organization/groups/{group_id}")
def change_group(organization: Organization, asked: Asked, group_id: str) -> Json:
    return organization.rename_group(group_id, asked.body("name").text("name")).shown_renamed()


@endpoint("DELETE", "/organization/groups/{group_id}")
def delete_group(organization: Organization, asked: Asked, group_id: str) -> Json:
    organization.delete_group(group_id)
    return deleted("group.deleted", group_id)


@endpoint("GET", "/organization/groups/{group_id}/users")
def list_group_users(organization: Organization, asked: Asked, group_id: str) -> Json:
    group = organization.group(group_id)
    members = organization.listing(
        f"users of {group_id}", lambda: [organization.user(member) for member in group.user_ids]
    )
    page = members.page(asked.window(least=0, default=100, most=1000, order="desc"))
    return style_b(page, [user.shown_in_group() for user in page.rows])


@endpoint("POST", "/organization/groups/{group_id}/users")
def create_group_user(organization: Organization, asked: Asked, group_id: str) -> Json:
    user = organization.user(asked.body("user_id").text("user_id"))
    organization.add_to_group(group_id, user.id)
    return {"object": "group.user", "user_id": user.id, "group_id": group_id}


@endpoint("GET", "/organization/groups/{group_id}/users/{user_id}")
def get_group_user(organization: Organization, asked: Asked, group_id: str, user_id: str) -> Json:
    if user_id not in organization.group(group_id).user_ids:
        raise NotFound(f"User '{user_id}' was not found in group '{group_id}'.", param="user_id")
    return organization.user(user_id).shown_alone_in_group()


@endpoint("DELETE", "/organization/groups/{group_id}/users/{user_id}")
def delete_group_user(organization: Organization, asked: Asked, group_id: str, user_id: str) -> Json:
    organization.remove_from_group(group_id, user_id)
    return {"object": "group.user.deleted", "deleted": True}
