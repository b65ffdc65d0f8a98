"""Reads an LDAP server whole, or not at all. The only module that speaks LDAP.

A server that is away, that cuts its answer off or sends us elsewhere looks like a company that nobody works
for any more. So whatever is not proven complete is an exception, and no answer at all.
"""

import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import ldap3
from django.conf import settings
from django.views.decorators.debug import sensitive_variables
from ldap3.core.exceptions import LDAPException
from ldap3.operation.search import parse_filter

from cakewalk.addresses import may_reach
from directory.ldap.entries import Inconclusive, LdapEntry

PAGE_SIZE = 500
CONNECT_SECONDS, ANSWER_SECONDS, WHOLE_READ_SECONDS = 10, 60, 900
PAGED = "1.2.840.113556.1.4.319"
HOLD_NO_PEOPLE = ("cn=configuration,", "dc=domaindnszones,", "dc=forestdnszones,")
"""Parts of Active Directory on which every search from the top of a domain refers elsewhere."""


@dataclass(frozen=True, slots=True)
class Login:
    """Where the server is and how we sign in. Without a bind DN: anonymously."""

    url: str
    start_tls: bool = False
    bind_dn: str = ""
    password: str = ""
    ca_certificates: str = ""

    def __repr__(self) -> str:
        return f"Login({self.url!r}, {self.bind_dn!r})"


@dataclass(frozen=True, slots=True)
class Search:
    base: str
    filter: str
    attributes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    entries: tuple[LdapEntry, ...]
    pages: int


def read(login: Login, searches: Sequence[Search]) -> list[Found]:
    """What each search finds, over one connection. Raises Inconclusive."""
    try:
        with _connected(login) as connection:
            return [_found(connection, search) for search in searches]
    except (LDAPException, OSError) as error:
        raise Inconclusive(f"{login.url} does not answer as it should: {_without_details(error)}.") from error


def check_filter(text: str) -> None:
    """Raises ValueError."""
    try:
        parse_filter(text, None, True, True, None, False)  # type: ignore[no-untyped-call]
    except (LDAPException, IndexError) as error:
        raise ValueError(f"{text} is no LDAP filter.") from error


@contextmanager
@sensitive_variables("login")
def _connected(login: Login) -> Iterator[Any]:
    connection = ldap3.Connection(
        _server(login),
        user=login.bind_dn or None,
        password=login.password or None,
        client_strategy=ldap3.SAFE_SYNC,
        auto_referrals=False,
        check_names=False,
        read_only=True,
        receive_timeout=ANSWER_SECONDS,
    )
    try:
        if login.start_tls and not connection.start_tls(read_server_info=False):
            raise Inconclusive(f"{login.url} refuses StartTLS.")
        accepted, result, *_ = connection.bind(read_server_info=False)
        if not accepted:
            raise Inconclusive(f"{login.url} refuses to let {login.bind_dn or 'us'} in: {_reason(result)}.")
        yield connection
    finally:
        with suppress(LDAPException, OSError):
            connection.unbind()


def _server(login: Login) -> Any:
    parts = urlsplit(login.url)
    secure = parts.scheme == "ldaps"
    tls = ldap3.Tls(
        validate=ssl.CERT_REQUIRED,
        version=ssl.PROTOCOL_TLS_CLIENT,
        ca_certs_data=login.ca_certificates or None,
    )
    return _Server(
        parts.hostname or "",
        port=parts.port or (636 if secure else 389),
        use_ssl=secure,
        tls=tls,
        get_info=ldap3.NONE,
        connect_timeout=CONNECT_SECONDS,
    )


class _Server(ldap3.Server):
    """Connects to the very addresses that are judged here; the certificate is still that of the name."""

    @property
    def address_info(self) -> list[Any]:
        found: list[Any] = super().address_info
        for ip in [str(info[4][0]) for info in found] if settings.HTTPS else []:
            if not may_reach(ip, self.host, settings.LDAP_ALLOWED_HOSTS):
                raise Inconclusive(
                    f"{self.host} leads to {ip}, which is no public address. LDAP_ALLOWED_HOSTS does not "
                    "name that host."
                )
        return found


def _found(connection: Any, search: Search) -> Found:
    """Every page, until the server says that there is none left."""
    entries: dict[str, LdapEntry] = {}
    cookie, pages, began = None, 0, time.monotonic()
    while True:
        _, result, response, _ = connection.search(
            search.base,
            search.filter,
            search_scope=ldap3.SUBTREE,
            dereference_aliases=ldap3.DEREF_NEVER,
            attributes=list(search.attributes),
            paged_size=PAGE_SIZE,
            paged_criticality=True,
            paged_cookie=cookie,
        )
        pages += 1
        if result["result"] != 0:
            raise Inconclusive(
                f"The search below {search.base} ended early, on page {pages}: {_reason(result)}."
            )
        for entry in _entries(response, search):
            if entries.setdefault(entry.dn.casefold(), entry) is not entry:
                raise Inconclusive(f"{entry.dn} was told twice, so the pages may be mixed up.")
        cookie = _cookie(result)
        if not cookie:
            return Found(tuple(entries.values()), pages)
        if time.monotonic() - began > WHOLE_READ_SECONDS:
            raise Inconclusive(
                f"The search below {search.base} took more than {WHOLE_READ_SECONDS // 60} minutes."
            )


def _cookie(result: dict[str, Any]) -> bytes:
    # Without the control, the server had no need for pages: all of it was in this one.
    control = (result.get("controls") or {}).get(PAGED)
    return control["value"]["cookie"] if control else b""


def _entries(response: Sequence[dict[str, Any]], search: Search) -> Iterator[LdapEntry]:
    for part in response:
        if part["type"] == "searchResRef":
            _refuse_reference(part["uri"], search)
        elif part["type"] == "searchResEntry":
            values = {
                name.casefold(): tuple(map(bytes, held))
                for name, held in part["raw_attributes"].items()
                if held
            }
            cut_off = next((name for name in values if ";range=" in name), None)
            if cut_off:
                raise Inconclusive(
                    f"{part['dn']} has more values of {cut_off.partition(';')[0]} than were told."
                )
            yield LdapEntry(part["dn"], values)


def _refuse_reference(addresses: Sequence[str], search: Search) -> None:
    for address in addresses:
        there = f"{urlsplit(address).path.lstrip('/').casefold()},"
        if not there.startswith(HOLD_NO_PEOPLE):
            raise Inconclusive(
                f"For a part of {search.base} the server refers to {address}, which is not asked."
            )


def _reason(result: dict[str, Any]) -> str:
    return f"{result['description']} {result.get('message') or ''}".strip()


def _without_details(error: Exception) -> str:
    """The first line; what follows in some may repeat the request."""
    return (str(error).splitlines() or [type(error).__name__])[0][:300].rstrip(".")
