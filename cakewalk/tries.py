"""How often something was tried from one place of late. Each web process counts for itself, in its memory."""

import ipaddress

from django.core.cache import cache


def count_try(what: str, address: str, *, seconds: int) -> int:
    """Count one more, and say how many there were, so many seconds from the first on."""
    key = f"tries:{what}:{place(address)}"
    if cache.add(key, 1, seconds):
        return 1
    try:
        return int(cache.incr(key))
    except ValueError:  # forgotten since
        return 1


def tries_of_late(what: str, address: str) -> int:
    return int(cache.get(f"tries:{what}:{place(address)}", 0))


def place(address: str) -> str:
    """One address; of the sixth version the network, whose addresses one host may have all of."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(found if found.version == 4 else ipaddress.ip_network((found, 64), strict=False))
