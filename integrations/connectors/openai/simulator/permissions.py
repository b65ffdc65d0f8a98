"""What a restricted admin key may do: a scope for each family of endpoints. Pure.

OpenAI names only the two scopes that cover everything. The others are called here after the paths, for
it does not publish the names behind its dashboard's restricted keys.
"""

from collections.abc import Collection
from fnmatch import fnmatchcase

READ_ALL, WRITE_ALL = "api.management.read", "api.management.write"

FAMILIES = (
    ("/organization/projects/*/users*", "projects.users"),
    ("/organization/projects/*/groups*", "projects.groups"),
    ("/organization/projects/*/service_accounts*", "projects.service_accounts"),
    ("/organization/projects/*/api_keys*", "projects.api_keys"),
    ("/organization/projects*", "projects"),
    ("/projects/*", "projects.roles"),
    ("/organization/*/*/roles*", "roles"),
    ("/organization/roles*", "roles"),
    ("/organization/users*", "users"),
    ("/organization/invites*", "invites"),
    ("/organization/groups*", "groups"),
    ("/organization/admin_api_keys*", "admin_api_keys"),
    ("/organization/audit_logs*", "audit_logs"),
)


def scope_needed(method: str, path: str) -> str:
    """Such as `api.organization.projects.users.write`."""
    family = next(name for pattern, name in FAMILIES if fnmatchcase(path, f"/v1{pattern}"))
    return f"api.organization.{family}.{'read' if method == 'GET' else 'write'}"


def missing_scope(granted: Collection[str] | None, needed: str) -> str | None:
    """None where the key may. A key restricted as a whole is told of the scope that covers everything."""
    everything = READ_ALL if needed.endswith(".read") else WRITE_ALL
    if granted is None or needed in granted or everything in granted:
        return None
    return everything if {READ_ALL, WRITE_ALL} & set(granted) else needed
