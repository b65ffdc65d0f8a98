"""Asks the server of a source for everybody, and refuses an answer that proves nothing."""

from dataclasses import dataclass
from datetime import datetime

from cakewalk.encryption import DecryptionError
from cakewalk.opening import opened
from directory.ldap import entries, reading
from directory.ldap.entries import Inconclusive
from directory.ldap.models import LdapServer
from directory.ldap.reading import Login, Search
from directory.people_table import Reading


@dataclass(frozen=True, slots=True)
class Answer:
    reading: Reading
    groups: int
    pages: int


def ask(server_id: int, *, now: datetime) -> Answer:
    """Raises Inconclusive."""
    server, login = _server(server_id)
    attributes = server.mapping()
    searches = [Search(server.base_dn, server.filter_of_people, attributes.of_people())]
    if server.read_groups:
        below = server.group_base_dn or server.base_dn
        searches.append(Search(below, server.filter_of_groups, attributes.of_groups()))
    found = reading.read(login, searches)
    for search, answer in zip(searches, found, strict=True):
        _refuse_nobody(search, answer)
    groups = found[1].entries if server.read_groups else None
    try:
        everybody = entries.people(found[0].entries, groups, attributes, nested=server.nested_groups, now=now)
    except entries.NoProof as error:
        raise Inconclusive(str(error)) from error
    if not everybody.entries:
        raise Inconclusive(f"None of {everybody.rows} entries has an e-mail; perhaps we may not read it.")
    return Answer(everybody, len(groups or ()), sum(answer.pages for answer in found))


def _server(server_id: int) -> tuple[LdapServer, Login]:
    try:
        server = LdapServer.objects.select_related("source").get(pk=server_id)
    except DecryptionError as error:
        raise Inconclusive("Its password cannot be decrypted: enter it again, or restore the key.") from error
    password = ""
    if server.password:
        (password,) = opened(server.password, of=server, use=f"Pull of {server.source}")
    if server.bind_dn and not password:
        raise Inconclusive("It has a bind DN but no password.")
    return server, Login(server.url, server.start_tls, server.bind_dn, password, server.ca_certificates)


def _refuse_nobody(search: Search, found: reading.Found) -> None:
    """No entries look like a company without people. Where there are no groups, none are to be read."""
    if not found.entries:
        raise Inconclusive(
            f"Nothing below {search.base} fits {search.filter}, or we may not see it. "
            "Nothing follows from that."
        )
