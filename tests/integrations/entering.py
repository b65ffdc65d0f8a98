"""What staff enter, and what is stored of it."""

import socket
from datetime import UTC, datetime
from typing import Any

from integrations.connecting import Entry
from integrations.connectors.openai.simulator import Simulator
from integrations.models import Credential, Integration

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WRONG_KEY = "sk-admin-" + "wrong" * 8


def enter(simulator: Simulator, **changes: Any) -> Entry:
    right = {
        "kind": "openai",
        "name": "Acme",
        "base_url": simulator.base_url,
        "secret": simulator.organization.admin_key,
    }
    return Entry(**right | changes)


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def stored() -> list[tuple[str, str, str, bool]]:
    """What the database holds: name, address, key and whether it is enabled."""
    keys = {found.integration_id: found.secret.reveal() for found in Credential.objects.all()}
    return [
        (found.name, found.base_url, keys.get(found.pk, ""), found.enabled)
        for found in Integration.objects.order_by("pk")
    ]
