"""Wrong tokens, counted by where they come from."""

import logging

from scim2_models import SCIMException

from cakewalk.tries import count_try

log = logging.getLogger(__name__)

TRIES = 20
WHILE = 15 * 60
"""So many wrong tokens are looked at from one place in so many seconds, counted from the first."""


class TooManyWrongTokens(SCIMException):
    status = 429


def note_wrong_token(address: str) -> None:
    """Raises TooManyWrongTokens. A right token is never asked here, so that nobody can lock it out."""
    tries = count_try("scim-tokens", address, seconds=WHILE)
    if tries == TRIES + 1:
        log.warning(
            "More than %d wrong SCIM tokens from %s; further ones are refused for a while.", TRIES, address
        )
    if tries > TRIES:
        raise TooManyWrongTokens(detail=f"Too many wrong tokens. Try again in {WHILE // 60} minutes.")
