"""What a simulated organization holds, and how OpenAI shows each of them. Pure."""

from integrations.connectors.openai.simulator.records.events import Actor, Event
from integrations.connectors.openai.simulator.records.keys import (
    AdminKey,
    ProjectKey,
    ServiceAccount,
    redacted,
)
from integrations.connectors.openai.simulator.records.people import Group, Invite, User
from integrations.connectors.openai.simulator.records.projects import Membership, Project, ProjectGroup
from integrations.connectors.openai.simulator.records.roles import Held, Role
from integrations.connectors.openai.simulator.records.shown import Json

__all__ = [
    "Actor",
    "AdminKey",
    "Event",
    "Group",
    "Held",
    "Invite",
    "Json",
    "Membership",
    "Project",
    "ProjectGroup",
    "ProjectKey",
    "Role",
    "ServiceAccount",
    "User",
    "redacted",
]
