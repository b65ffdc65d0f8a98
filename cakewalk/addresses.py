"""Which network addresses may be reached: public ones, and any of a host that a setting names. Pure.

A name is judged by what it leads to, when it is called: whoever owns it may let it lead anywhere.
"""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

TRANSLATED = IPv6Network("64:ff9b::/96"), IPv6Network("::/96")
"""Whose last four bytes are an address of the fourth version, to which a gateway may pass on."""

KEPT_BACK = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",
            "192.88.99.0/24",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "3fff::/20",
            "fec0::/10",
        ),
    )
)
"""For particular uses, and global to some versions of Python: clouds keep their secrets at 192.0.0.192."""


def may_reach(ip: str, host: str, allowed_hosts: Collection[str]) -> bool:
    """Public ones always; of a host that the setting names, any."""
    return is_public(ip) or is_named(host, allowed_hosts)


def is_public(ip: str) -> bool:
    found = ip_address(ip.partition("%")[0])
    return all(
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in KEPT_BACK)
        for address in _within(found)
    )


def is_named(host: str, allowed_hosts: Collection[str]) -> bool:
    return host.lower() in {allowed.lower().strip("[]") for allowed in allowed_hosts}


def is_loopback(host: str) -> bool:
    found = literal(host)
    return ip_address(found).is_loopback if found else host.lower() == "localhost"


def literal(host: str) -> str | None:
    try:
        return str(ip_address(host.partition("%")[0]))
    except ValueError:
        return None


def _within(found: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address, and each of the fourth version that it stands for."""
    if isinstance(found, IPv4Address):
        return [found]
    if found.ipv4_mapped:
        return [found.ipv4_mapped]
    inside = [*(found.teredo or ()), found.sixtofour]
    if any(found in network for network in TRANSLATED):
        inside.append(IPv4Address(int(found) & 0xFFFF_FFFF))
    return [found, *(address for address in inside if address)]
