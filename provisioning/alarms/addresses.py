"""Which addresses a webhook may be sent to, and why not. Pure."""

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from cakewalk.addresses import is_loopback, is_named, literal, may_reach


def gettext_noop(text: str) -> str:
    """Marks a text for translators. It is translated where it is shown: this module knows no Django."""
    return text


def refuse(address: str, allowed_hosts: Collection[str]) -> str | None:
    """The first thing that is wrong with what was typed. What its name leads to is judged when it is sent."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        usable = bool(host) and parts.port != 0
    except ValueError:
        usable, host = False, ""
    if not usable or not re.fullmatch(r"https?://[!-~]+", address, re.IGNORECASE):
        return gettext_noop("Write the whole address, as it begins with https:// and without spaces.")
    if parts.username is not None:
        return gettext_noop("Leave the user name and password out of the address.")
    if "#" in address:
        return gettext_noop("Leave out everything from the # on: it would not be sent.")
    if parts.scheme != "https" and not (is_loopback(host) and is_named(host, allowed_hosts)):
        return gettext_noop("The address must begin with https://, so that nobody on the way can read along.")
    if (ip := literal(host)) and not may_reach(ip, host, allowed_hosts):
        return gettext_noop(
            "This is no public address. Whoever runs Cakewalk can allow it in the setting "
            "WEBHOOK_ALLOWED_HOSTS."
        )
    return None


def shown(address: str) -> str:
    """What may be shown: of a chat's address, all that follows its host is a secret."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/…"
