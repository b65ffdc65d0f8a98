"""Who asks, where proxies stand between: the one place in which they are believed, or not.

What follows, the ledger and whatever counts tries, finds the client's own address in REMOTE_ADDR.
"""

import logging
import re
from collections.abc import Callable, Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

Answering = Callable[[HttpRequest], HttpResponseBase]
Address = IPv4Address | IPv6Address
Networks = Collection[IPv4Network | IPv6Network]

FORWARDED_FOR = "HTTP_X_FORWARDED_FOR"
MOST_HOPS = 20

log = logging.getLogger(__name__)


def for_the_client(get_response: Answering) -> Answering:
    """A middleware, before all that asks whence a request came. Only TRUSTED_PROXIES may speak for others."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        proxies: Networks = settings.TRUSTED_PROXIES
        meta = request.META
        if proxies and not is_one(meta.get("REMOTE_ADDR", ""), proxies):
            meta.pop(FORWARDED_FOR, None)
            if settings.SECURE_PROXY_SSL_HEADER:
                meta.pop(settings.SECURE_PROXY_SSL_HEADER[0], None)
        meta["REMOTE_ADDR"] = client(meta.get("REMOTE_ADDR", ""), meta.get(FORWARDED_FOR, ""), proxies)
        return get_response(request)

    return answer


def for_the_scheme(get_response: Answering) -> Answering:
    """A middleware, before SecurityMiddleware, whose redirect to https:// would lead back to itself for ever
    where a proxy forgot the header that tells of TLS.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        if not settings.SECURE_SSL_REDIRECT or request.is_secure() or _may_be_plain(request.path):
            return get_response(request)
        name, _ = settings.SECURE_PROXY_SSL_HEADER or ("", "")
        if not name or name in request.META:
            return get_response(request)
        header = name.removeprefix("HTTP_").replace("_", "-").title()
        log.error(
            "A request came without %s, which SECURE_PROXY_SSL_HEADER names: see docs/settings.md.", header
        )
        return HttpResponse(
            f"Whether this came over HTTPS is unknown: the proxy must send {header}, and be one of those "
            "that are trusted.\n",
            content_type="text/plain; charset=utf-8",
            status=400,
        )

    return answer


def client(peer: str, forwarded_for: str, proxies: Networks) -> str:
    """The last address in the row that no proxy of ours has, as each appends whom it heard from.

    What stands before it was written by whoever asks, and may be anything. A hop that is no address ends the
    row: then the proxy that told it is as far as we see.
    """
    hops = forwarded_for.split(",")[-MOST_HOPS:]
    seen, here = peer, peer
    while hops and is_one(here, proxies):
        found = _address(hops.pop())
        if found is None:
            break
        seen = here = str(found)
    known = _address(seen)
    return str(known) if known else seen


def is_one(peer: str, proxies: Networks) -> bool:
    """A peer on a Unix socket has no address. Its file says who may come, so it is one where any is."""
    if not peer:
        return bool(proxies)
    found = _address(peer)
    return found is not None and any(found in network for network in proxies)


def _address(hop: str) -> Address | None:
    """As proxies write it: bare, with a port, in brackets, with a zone, or as version 4 within version 6."""
    text = hop.strip().strip('"')
    if bracketed := re.fullmatch(r"\[([^\]]+)\](:\d+)?", text):
        text = bracketed[1]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found


def _may_be_plain(path: str) -> bool:
    return any(re.search(pattern, path.lstrip("/")) for pattern in settings.SECURE_REDIRECT_EXEMPT)
