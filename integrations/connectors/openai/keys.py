"""Every key and every service account of an organization, wherever they are."""

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from itertools import chain

from integrations.connectors.base import Entitlement, Key, Keys, PermissionMissing, Receipt
from integrations.connectors.openai.client import OpenAIClient
from integrations.connectors.openai.entering import shortened
from integrations.connectors.openai.ids import parted, within
from integrations.connectors.openai.parsing import (
    ADMIN_KEY,
    DEFAULT_PROJECT,
    PROJECT_KEY,
    SERVICE_ACCOUNT,
    AdminKey,
    ProjectKey,
    without_keys,
)

UNREAD = {
    PROJECT_KEY: "The keys of projects could not be looked for.",
    ADMIN_KEY: "Admin keys could not be looked for.",
    SERVICE_ACCOUNT: "Service accounts could not be looked for.",
}

IsOurs = Callable[[str], bool]


def fetch(client: OpenAIClient, owners: Collection[str], is_ours: IsOurs) -> Keys:
    """Two calls for each project that is not archived, and one more where there are service accounts.

    OpenAI has shown keys of projects among the admin keys, so a key is believed where it was seen first.
    """
    projects = [project for project in client.list_projects() if _is_alive(project)]
    lists: dict[str, Callable[[], Iterator[Key]]] = {
        PROJECT_KEY: lambda: _project_keys(client, projects),
        ADMIN_KEY: lambda: _admin_keys(client, is_ours),
        SERVICE_ACCOUNT: lambda: _service_accounts(client, projects, owners),
    }
    found: dict[str, Key] = {}
    unread: dict[str, str] = {}
    for kind, listed in lists.items():
        try:
            for key in [*listed()]:
                found.setdefault(parted(key.id)[1], key)
        except PermissionMissing as error:
            unread[kind] = f"{UNREAD[kind]} {error}"
    return Keys(tuple(found.values()), frozenset(UNREAD) - set(unread), tuple(unread.values()))


def _is_alive(project: Entitlement) -> bool:
    """The default project cannot be changed, but has keys like any other; an archived one answers 400."""
    return project.unmanageable in ("", DEFAULT_PROJECT)


def _project_keys(client: OpenAIClient, projects: Sequence[Entitlement]) -> Iterator[Key]:
    listed = client.side_by_side([partial(_listed, project) for project in projects])
    for project, keys in zip(projects, listed, strict=True):
        for key in keys:
            yield _project_key(project.id, project.name, key)


def _listed(project: Entitlement, client: OpenAIClient) -> list[ProjectKey]:
    return client.list_project_keys(project.id, project.name)


def _admin_keys(client: OpenAIClient, is_ours: IsOurs) -> Iterator[Key]:
    for key in client.list_admin_keys():
        yield _admin_key(key, is_ours)


def _service_accounts(
    client: OpenAIClient, projects: Sequence[Entitlement], owners: Collection[str]
) -> Iterator[Key]:
    return chain.from_iterable(
        client.side_by_side([partial(_service_accounts_of, project, owners) for project in projects])
    )


def _service_accounts_of(project: Entitlement, owners: Collection[str], client: OpenAIClient) -> list[Key]:
    robots = client.list_service_accounts(project.id, project.name)
    if not robots:
        return []
    people = {holder.id for holder in client.list_project_users(project.id, project.name)}
    unattended = people <= {*owners, *(robot.id for robot in robots)}
    return [
        Key(
            id=within(project.id, robot.id),
            kind=SERVICE_ACCOUNT,
            name=without_keys(robot.name),
            place=_in_words(project.name),
            owner_id="",
            made_at=robot.made_at,
            of_machine=True,
            unattended=unattended,
        )
        for robot in robots
    ]


def _in_words(project: str) -> str:
    return f"the project {project}"


def _project_key(project_id: str, place: str, key: ProjectKey) -> Key:
    return Key(
        id=within(project_id, key.id),
        kind=PROJECT_KEY,
        name=without_keys(key.name) or shortened(key.shown),
        place=_in_words(place),
        owner_id=key.owner_id,
        made_at=key.made_at,
        last_used_at=key.last_used_at,
        expires_at=key.expires_at,
        owner_name=key.owner_name,
        of_machine=key.of_machine,
        shown=shortened(key.shown),
    )


def _admin_key(key: AdminKey, is_ours: IsOurs) -> Key:
    return Key(
        id=key.facts.id,
        kind=ADMIN_KEY,
        name=without_keys(key.facts.name) or shortened(key.shown),
        place="the whole organization",
        owner_id=key.facts.owner_id,
        made_at=key.facts.made_at,
        last_used_at=key.facts.last_used_at,
        expires_at=key.facts.expires_at,
        owner_name=key.facts.owner_name,
        of_machine=key.facts.owner_kind == "service_account",
        shown=shortened(key.shown),
        is_ours=is_ours(key.shown),
    )


def fetch_one(client: OpenAIClient, key_id: str, is_ours: IsOurs) -> Key | None:
    project_id, id = parted(key_id)
    if project_id:
        key = client.retrieve_project_key(project_id, id)
        return _project_key(project_id, project_id, key) if key else None
    admin_key = client.retrieve_admin_key(id)
    return _admin_key(admin_key, is_ours) if admin_key else None


def revoke(client: OpenAIClient, key_id: str) -> Receipt:
    project_id, id = parted(key_id)
    return client.delete_project_key(project_id, id) if project_id else client.delete_admin_key(id)
