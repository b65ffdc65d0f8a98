"""Custom roles in projects. Every project has its own, so each is a thing to hold by the ids of both, and is
named `Search: Prompt editor`.
"""

from collections.abc import Collection, Iterator
from functools import partial
from itertools import chain

from integrations.connectors.base import Entitlement, Grant, Receipt
from integrations.connectors.openai.client import OpenAIClient
from integrations.connectors.openai.ids import parted, within
from integrations.connectors.openai.parsing import HOLDER, PROJECT, PROJECT_ROLE, Holder


def find(client: OpenAIClient, names: Collection[str]) -> Iterator[Entitlement]:
    """Only of the projects that the names begin with: it is one call for each, and there may be thousands."""
    for project in client.list_projects():
        begins = f"{project.name}: ".casefold()
        named = [name for name in names if name.casefold().startswith(begins)]
        if project.unmanageable:
            for name in named:
                yield Entitlement(PROJECT_ROLE, within(project.id, ""), name, project.unmanageable)
        elif named:
            for role in client.list_project_roles(project.id, project.name):
                name = f"{project.name}: {role.name}"
                yield Entitlement(
                    PROJECT_ROLE,
                    within(project.id, role.id),
                    name,
                    role.unmanageable,
                    within=(PROJECT, project.id),
                )


def fetch_grants(client: OpenAIClient, roles: Collection[Entitlement]) -> Iterator[tuple[str, Grant]]:
    """With the account of each, and who is in the projects. Everybody there is asked once, whichever of its
    roles are meant.
    """
    wanted = {role.id for role in roles}
    projects = sorted({parted(role.id)[0] for role in roles})
    return chain.from_iterable(client.side_by_side([partial(_held_in, wanted, id) for id in projects]))


def _held_in(wanted: Collection[str], project_id: str, client: OpenAIClient) -> list[tuple[str, Grant]]:
    found = []
    for member in client.list_project_users(project_id, project_id):
        found.append((member.id, Grant(PROJECT, project_id, member.role)))
        for held in client.list_project_user_roles(project_id, member.id):
            if within(project_id, held.id) in wanted:
                found.append((member.id, Grant(PROJECT_ROLE, within(project_id, held.id), HOLDER)))
    return found


def retrieve(client: OpenAIClient, id: str, user_id: str) -> Holder | None:
    return client.retrieve_project_user_role(*parted(id), user_id)


def create(client: OpenAIClient, id: str, user_id: str) -> Receipt:
    return client.create_project_user_role(*parted(id), user_id)


def delete(client: OpenAIClient, id: str, user_id: str) -> Receipt:
    return client.delete_project_user_role(*parted(id), user_id)
