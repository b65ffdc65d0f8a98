"""The connection test: what OpenAI says to a key, one line per list, and one plain sentence when it fails."""

from collections.abc import Callable, Generator
from dataclasses import dataclass

from integrations.connectors.base import (
    Check,
    CheckReport,
    Checks,
    ConnectorError,
    CredentialFacts,
    CredentialRejected,
    PermissionMissing,
    RateLimited,
    ReadIncomplete,
    RemoteUnreachable,
)
from integrations.connectors.openai.client import (
    AUDIT_LOGS,
    GROUPS,
    INVITES,
    PROJECTS,
    PROJECTS_WITH_ROLES,
    ROLES,
    USERS,
    OpenAIClient,
    in_project,
)
from integrations.connectors.openai.entering import ADMIN_KEYS_PAGE, OPENAI_URL
from integrations.connectors.openai.parsing import Page

LISTS = (("Members", "users", USERS), ("Invites", "invites", INVITES), ("Projects", "projects", PROJECTS))
"""Without one of these nothing works."""


@dataclass(frozen=True, slots=True)
class Extra:
    """A list that one feature needs. `without`: what is off when the key may not read it. Of a list that each
    project has, the path is only known when there is a project.
    """

    title: str
    name: str
    path: str | Callable[[str], str]
    without: str


EVENTS_UNREAD = "who changed something in OpenAI's console cannot be told"
EXTRAS = (
    Extra("Groups", "groups", GROUPS, "no access rule can give a group"),
    Extra("Roles", "roles", ROLES, "no access rule can give a custom role"),
    Extra(Check.EVENTS, "audit log", AUDIT_LOGS, EVENTS_UNREAD),
    Extra(
        "Project keys",
        "project keys",
        in_project("api_keys"),
        "the API keys of somebody who left cannot be looked for",
    ),
    Extra(
        "Project members",
        "members of projects",
        in_project("users"),
        "a job fails as soon as a rule names a project",
    ),
    Extra(
        "Project roles",
        "roles of projects",
        in_project("roles", PROJECTS_WITH_ROLES),
        "no access rule can give a custom role in a project",
    ),
    Extra("Project groups", "groups in projects", in_project("groups"), "no group rule is carried out"),
    Extra(
        "Service accounts",
        "service accounts",
        in_project("service_accounts"),
        "service accounts are not listed, and none without a person is told of",
    ),
)
ADMIN_KEYS_UNREAD = (
    "whose key this is, its age and its expiry are unknown, nothing is taken from any owner, and the key "
    "cannot be rotated"
)


def checks(client: OpenAIClient, is_ours: Callable[[str], bool]) -> Checks:
    """One call per list, up to the first that cannot be reached. What only a feature needs comes after what
    nothing works without.
    """
    lines: list[Check] = []
    errors: list[ConnectorError] = []
    refused: list[str] = []
    pages: dict[str, Page] = {}
    for title, name, path in LISTS:
        yield title
        try:
            pages[path] = client.peek(name, path)
        except (CredentialRejected, PermissionMissing) as error:
            lines.append(Check(title, Check.REFUSED, str(error)))
            errors.append(error)
            refused.append(name)
        except ConnectorError as error:
            lines.append(Check(title, Check.UNREACHABLE, str(error)))
            errors.append(error)
        else:
            lines.append(Check(title, Check.ALLOWED, f"The key may read the {name}."))
        yield lines[-1]
        if lines[-1].answer == Check.UNREACHABLE:
            break
    facts = CredentialFacts()
    if not errors:
        facts = yield from _check_admin_keys(client, is_ours, lines)
        yield from _check_extras(client, pages[PROJECTS], lines)
    rejections = [error for error in errors if isinstance(error, CredentialRejected)]
    return CheckReport(
        tuple(lines),
        _problem(errors, refused),
        facts,
        simulated=client.simulated,
        rejected=len(rejections) == len(LISTS),
    )


Steps = Generator[str | Check, None, None]


def _check_admin_keys(
    client: OpenAIClient, is_ours: Callable[[str], bool], lines: list[Check]
) -> Generator[str | Check, None, CredentialFacts]:
    """Read to the end, and not only peeked into: the list tells whose key it is."""
    title = "Admin keys"
    yield title
    try:
        facts = key_facts(client, is_ours)
    except ConnectorError as error:
        facts = CredentialFacts(unknown=str(error))
        lines.append(_without(title, error, ADMIN_KEYS_UNREAD))
    else:
        lines.append(Check(title, Check.ALLOWED, "The key may read the admin keys."))
    yield lines[-1]
    return facts


def _check_extras(client: OpenAIClient, projects: Page, lines: list[Check]) -> Steps:
    first = projects.rows[0] if projects.rows else None
    project_id = first.get("id") if isinstance(first, dict) else None
    for extra in EXTRAS:
        if callable(extra.path) and not isinstance(project_id, str):
            continue
        yield extra.title
        try:
            client.peek(extra.name, extra.path(str(project_id)) if callable(extra.path) else extra.path)
        except ConnectorError as error:
            lines.append(_without(extra.title, error, extra.without))
        else:
            lines.append(Check(extra.title, Check.ALLOWED, f"The key may read the {extra.name}."))
        yield lines[-1]
        if lines[-1].answer == Check.UNREACHABLE:
            return


def _without(title: str, error: ConnectorError, consequence: str) -> Check:
    if isinstance(error, RemoteUnreachable | RateLimited):
        return Check(title, Check.UNREACHABLE, str(error))
    return Check(title, Check.REFUSED, f"Without it {consequence}. {error}")


def _problem(errors: list[ConnectorError], refused: list[str]) -> str | None:
    """The last error tells most: an unreachable remote outweighs what it refused before."""
    if not errors:
        return None
    error = errors[-1]
    match error:
        case CredentialRejected():
            return f"The key is mistyped, revoked or expired. {error}"
        case PermissionMissing():
            return (
                f"The key works, but it may not read the {_listed(refused)}. An organization owner must make "
                f"an Admin key with all permissions at {ADMIN_KEYS_PAGE}. {error}"
            )
        case RateLimited():
            return f"{error} Wait a minute and try again."
        case ReadIncomplete():
            return f"This address does not answer like the OpenAI API, which is at {OPENAI_URL}. {error}"
        case _ if error.status:
            return f"{error} Try again in some minutes."
    return f"{error} Check the network and the API address."


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def key_facts(client: OpenAIClient, is_ours: Callable[[str], bool]) -> CredentialFacts:
    """Of the one admin key whose visible parts fit ours. Where none or several do, nothing is guessed."""
    fitting = [key.facts for key in client.list_admin_keys() if is_ours(key.shown)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        return CredentialFacts(
            unknown=f"{len(fitting)} admin keys look like this one, so OpenAI does not tell which it is."
        )
    return CredentialFacts(unknown="No admin key that OpenAI lists looks like this one.")
