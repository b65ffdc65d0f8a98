"""What is connected: integrations, their credentials, and the rotations of these."""

from integrations.models.integration import (
    Credential,
    CredentialMissing,
    Integration,
    IntegrationQuerySet,
)
from integrations.models.rotation import Rotation, RotationLost

__all__ = [
    "Credential",
    "CredentialMissing",
    "Integration",
    "IntegrationQuerySet",
    "Rotation",
    "RotationLost",
]
