"""OpenAI's administration endpoints over a simulated organization: one function for each. Pure of HTTP.

Importing a family's module is what puts its endpoints on the list.
"""

from integrations.connectors.openai.simulator.endpoints import (
    admin_keys,
    audit_logs,
    group_roles,
    groups,
    invites,
    project_groups,
    project_keys,
    project_roles,
    project_users,
    projects,
    roles,
    service_accounts,
    user_roles,
    users,
)
from integrations.connectors.openai.simulator.endpoints.routing import ENDPOINTS, answer

__all__ = [
    "ENDPOINTS",
    "admin_keys",
    "answer",
    "audit_logs",
    "group_roles",
    "groups",
    "invites",
    "project_groups",
    "project_keys",
    "project_roles",
    "project_users",
    "projects",
    "roles",
    "service_accounts",
    "user_roles",
    "users",
]
