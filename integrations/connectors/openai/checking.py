"""The connection test: what OpenAI says to a key, one line per list, and one plain sentence when it fails."""

from collections.abc import Callable
from contextlib import suppress

from integrations.connectors.base import (
    Check,
    CheckReport,
    ConnectorError,
    CredentialRejected,
    PermissionMissing,
    RateLimited,
    ReadIncomplete,
)
from integrations.connectors.openai.client import INVITES, PROJECTS, USERS, OpenAIClient
from integrations.connectors.openai.entering import ADMIN_KEYS_PAGE, OPENAI_URL

LISTS = (("Members", "users", USERS), ("Invites", "invites", INVITES), ("Projects", "projects", PROJECTS))


def check(client: OpenAIClient, is_ours: Callable[[str], bool]) -> CheckReport:
    """One call per list, up to the first that cannot be reached, and one to learn whose key it is."""
    checks: list[Check] = []
    errors: list[ConnectorError] = []
    refused: list[str] = []
    for title, name, path in LISTS:
        try:
            client.peek(name, path)
        except (CredentialRejected, PermissionMissing) as error:
            checks.append(Check(title, Check.REFUSED, str(error)))
            errors.append(error)
            refused.append(name)
        except ConnectorError as error:
            checks.append(Check(title, Check.UNREACHABLE, str(error)))
            errors.append(error)
            break
        else:
            checks.append(Check(title, Check.ALLOWED, f"The key may read the {name}."))
    owner = None
    if not errors:
        with suppress(ConnectorError):
            owner = key_owner(client, is_ours)
    rejections = [error for error in errors if isinstance(error, CredentialRejected)]
    return CheckReport(
        tuple(checks),
        _problem(errors, refused),
        owner,
        simulated=client.simulated,
        rejected=len(rejections) == len(LISTS),
    )


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


def key_owner(client: OpenAIClient, is_ours: Callable[[str], bool]) -> str | None:
    """The owner of the one admin key whose visible parts fit ours; None when none or several do."""
    owners = [key.owner_id for key in client.list_admin_keys() if is_ours(key.shown)]
    return owners[0] if len(owners) == 1 else None
