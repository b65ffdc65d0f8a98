"""Wrong tokens, counted by where they come from. Each web process counts for itself, in its memory."""

import ipaddress
import logging

from django.core.cache import cache
from scim2_models import SCIMException

log = logging.getLogger(__name__)

TRIES = 20
WHILE = 15 * 60
"""So many wrong tokens are looked at from one place in so many seconds, counted from the first."""


class TooManyWrongTokens(SCIMException):
    status = 429


def note_wrong_token(address: str) -> None:
    """Raises TooManyWrongTokens. A right token is never asked here, so that nobody can lock it out."""
    key = f"scim:wrong-tokens:{_place(address)}"
    if cache.add(key, 1, WHILE):
        return
    try:
        tries = cache.incr(key)
    except ValueError:  # forgotten since
        return
    if tries == TRIES + 1:
        log.warning(
            "More than %d wrong SCIM tokens from %s; further ones are refused for a while.", TRIES, address
        )
    if tries > TRIES:
        raise TooManyWrongTokens(detail=f"Too many wrong tokens. Try again in {WHILE // 60} minutes.")


def _place(address: str) -> str:
    """One address; of the sixth version the network, whose addresses one host may have all of."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    return str(found if found.version == 4 else ipaddress.ip_network((found, 64), strict=False))
