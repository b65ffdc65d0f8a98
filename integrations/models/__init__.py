"""What is connected: integrations, their credentials, one-time links for these, and their rotations."""

from integrations.models.integration import (
    Credential,
    CredentialMissing,
    Integration,
    IntegrationQuerySet,
)
from integrations.models.key_link import KeyLink
from integrations.models.role import RoleOnIntegration
from integrations.models.rotation import Rotation, RotationLost

__all__ = [
    "Credential",
    "CredentialMissing",
    "Integration",
    "IntegrationQuerySet",
    "KeyLink",
    "RoleOnIntegration",
    "Rotation",
    "RotationLost",
]
