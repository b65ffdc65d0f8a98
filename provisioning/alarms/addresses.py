"""Which addresses a webhook may be sent to, and why not. Pure."""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import urlsplit


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
    if (literal := _literal(host)) and not may_reach(literal, host, allowed_hosts):
        return gettext_noop(
            "This is no public address. Whoever runs Cakewalk can allow it in the setting "
            "WEBHOOK_ALLOWED_HOSTS."
        )
    return None


def may_reach(ip: str, host: str, allowed_hosts: Collection[str]) -> bool:
    """Public ones always; of a host that the setting names, any."""
    found: IPv4Address | IPv6Address = ip_address(ip.partition("%")[0])
    found = getattr(found, "ipv4_mapped", None) or found
    public = found.is_global and not found.is_multicast
    return public or is_named(host, allowed_hosts)


def is_named(host: str, allowed_hosts: Collection[str]) -> bool:
    return host.lower() in {allowed.lower().strip("[]") for allowed in allowed_hosts}


def is_loopback(host: str) -> bool:
    literal = _literal(host)
    return ip_address(literal).is_loopback if literal else host.lower() == "localhost"


def shown(address: str) -> str:
    """What may be shown: of a chat's address, all that follows its host is a secret."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}/…"


def _literal(host: str) -> str | None:
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        return None
