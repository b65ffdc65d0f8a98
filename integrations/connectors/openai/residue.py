"""What somebody leaves behind in OpenAI: keys of projects, admin keys, service accounts without a person."""

from collections.abc import Callable, Collection, Iterator

from integrations.connectors.base import Entitlement, Key, PermissionMissing, Receipt, Residue, Unattended
from integrations.connectors.openai.client import OpenAIClient
from integrations.connectors.openai.ids import parted, within
from integrations.connectors.openai.parsing import (
    ADMIN_KEY,
    DEFAULT_PROJECT,
    PROJECT_KEY,
    AdminKey,
    ProjectKey,
)


def fetch(
    client: OpenAIClient,
    account_ids: Collection[str],
    owners: Collection[str],
    is_ours: Callable[[str], bool],
) -> Residue:
    """Two calls for each project that is not archived, and one more where only service accounts may be left.

    OpenAI has shown keys of projects among the admin keys, so a key is believed where it was seen first.
    """
    projects = [project for project in client.list_projects() if _is_alive(project)]
    keys: dict[str, Key] = {}
    unattended: list[Unattended] = []
    unread: list[str] = []
    try:
        for project in projects:
            for found in client.list_project_keys(project.id, project.name):
                keys[found.id] = _project_key(project.id, project.name, found)
    except PermissionMissing as error:
        unread.append(f"The keys of projects could not be looked for. {error}")
    try:
        admin_keys = [key for key in client.list_admin_keys() if not is_ours(key.shown)]
        keys |= {key.facts.id: _admin_key(key) for key in admin_keys if key.facts.id not in keys}
    except PermissionMissing as error:
        unread.append(f"Admin keys could not be looked for. {error}")
    try:
        unattended = list(_unattended(client, projects, owners))
    except PermissionMissing as error:
        unread.append(f"Service accounts could not be looked for. {error}")
    theirs = tuple(key for key in keys.values() if key.owner_id in account_ids)
    return Residue(theirs, tuple(unattended), tuple(unread))


def _is_alive(project: Entitlement) -> bool:
    """The default project cannot be changed, but has keys like any other; an archived one answers 400."""
    return project.unmanageable in ("", DEFAULT_PROJECT)


def _unattended(
    client: OpenAIClient, projects: Collection[Entitlement], owners: Collection[str]
) -> Iterator[Unattended]:
    for project in projects:
        robots = client.list_service_accounts(project.id, project.name)
        if not robots:
            continue
        people = {holder.id for holder in client.list_project_users(project.id, project.name)}
        if people <= set(owners):
            yield Unattended(f"the project {project.name}", tuple(robots))


def _project_key(project_id: str, place: str, key: ProjectKey) -> Key:
    return Key(
        id=within(project_id, key.id),
        kind=PROJECT_KEY,
        name=key.name or key.shown,
        place=f"the project {place}",
        owner_id=key.owner_id or "",
        made_at=key.made_at,
        last_used_at=key.last_used_at,
    )


def _admin_key(key: AdminKey) -> Key:
    return Key(
        id=key.facts.id,
        kind=ADMIN_KEY,
        name=key.facts.name or key.shown,
        place="the whole organization",
        owner_id=key.facts.owner_id,
        made_at=key.facts.made_at,
        last_used_at=key.facts.last_used_at,
    )


def fetch_key(client: OpenAIClient, key_id: str) -> Key | None:
    project_id, id = parted(key_id)
    if project_id:
        key = client.retrieve_project_key(project_id, id)
        return _project_key(project_id, project_id, key) if key else None
    admin_key = client.retrieve_admin_key(id)
    return _admin_key(admin_key) if admin_key else None


def revoke(client: OpenAIClient, key_id: str) -> Receipt:
    project_id, id = parted(key_id)
    return client.delete_project_key(project_id, id) if project_id else client.delete_admin_key(id)
