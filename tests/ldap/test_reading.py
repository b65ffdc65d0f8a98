"""A real OpenLDAP is read whole, or the read is inconclusive."""

import pytest

from directory.ldap import reading
from directory.ldap.entries import Inconclusive
from directory.ldap.reading import Login, Search, read
from tests.ldap.conftest import MANY
from tests.ldap.slapd import ADMIN, GROUPS, PASSWORD, PEOPLE, SUFFIX

pytestmark = pytest.mark.ldap

EVERYBODY = Search(PEOPLE, "(objectClass=inetOrgPerson)", ("mail", "entryUUID"))


def refused(login: Login, search: Search = EVERYBODY) -> str:
    with pytest.raises(Inconclusive) as caught:
        read(login, [search])
    return str(caught.value)


@pytest.fixture
def login(slapd) -> Login:
    return Login(slapd.url, bind_dn=ADMIN, password=PASSWORD)


def test_every_page_is_read(login):
    people, groups = read(login, [EVERYBODY, Search(GROUPS, "(objectClass=groupOfNames)", ("cn", "member"))])
    assert (len(people.entries), people.pages, groups.pages) == (MANY, 3, 1)
    assert len({entry.texts("mail")[0] for entry in people.entries}) == MANY
    assert {group.texts("cn")[0]: len(group.texts("member")) for group in groups.entries} == {
        "engineering": 600,
        "everybody": 3,
    }


def test_a_list_that_the_server_cuts_off_proves_nothing(slapd):
    cut_off = refused(Login(slapd.url, bind_dn=f"cn=limited,{SUFFIX}", password="l1mited"))
    assert cut_off == f"The search below {PEOPLE} ended early, on page 2: sizeLimitExceeded."


def test_a_part_that_is_elsewhere_proves_nothing(login):
    elsewhere = refused(login, Search(SUFFIX, "(objectClass=inetOrgPerson)", ("mail",)))
    assert elsewhere.startswith(f"For a part of {SUFFIX} the server refers to ldap://127.0.0.1:9/")
    assert "referral" in refused(login, Search(f"ou=elsewhere,{SUFFIX}", "(objectClass=*)", ("mail",)))


def test_what_active_directory_keeps_elsewhere_are_no_people():
    for address in ("ldap://x/DC=DomainDnsZones,DC=x,DC=org", "ldap://x/CN=Configuration,DC=x,DC=org"):
        reading._refuse_reference([address], EVERYBODY)
    with pytest.raises(Inconclusive):
        reading._refuse_reference(["ldap://sub.x.org/DC=sub,DC=x,DC=org"], EVERYBODY)


def test_a_base_that_is_not_there_is_no_empty_company(login):
    assert "noSuchObject" in refused(login, Search(f"ou=nowhere,{SUFFIX}", "(objectClass=*)", ("mail",)))


def test_a_wrong_password_and_a_silent_server_say_so_without_the_password(slapd):
    wrong = refused(Login(slapd.url, bind_dn=ADMIN, password="not-the-s3cret"))
    assert wrong == f"{slapd.url} refuses to let {ADMIN} in: invalidCredentials."
    gone = refused(Login("ldap://localhost:1", bind_dn=ADMIN, password=PASSWORD))
    assert gone.startswith("ldap://localhost:1 does not answer as it should:")
    assert PASSWORD not in gone + wrong
    assert PASSWORD not in repr(Login(slapd.url, bind_dn=ADMIN, password=PASSWORD))


def test_a_connection_is_encrypted_only_with_whom_we_trust(slapd):
    trusted = (slapd.folder / "server.pem").read_text()
    login = Login(slapd.url, True, ADMIN, PASSWORD, trusted)
    assert len(read(login, [EVERYBODY])[0].entries) == MANY
    assert "certificate verify failed" in refused(Login(slapd.url, True, ADMIN, PASSWORD))
    other_name = slapd.url.replace("localhost", "127.0.0.1")
    assert "does not answer as it should" in refused(Login(other_name, True, ADMIN, PASSWORD, trusted))


class Server:
    """Answers each search with the next of these pages: the DNs in it, and the cookie or no control."""

    def __init__(self, *pages: tuple[list[str], bytes | None], attribute: str = "mail") -> None:
        self.pages, self.attribute = list(pages), attribute

    def search(self, *_: object, **__: object) -> tuple[object, ...]:
        names, cookie = self.pages.pop(0)
        control = {} if cookie is None else {reading.PAGED: {"value": {"cookie": cookie}}}
        found = [
            {"type": "searchResEntry", "dn": name, "raw_attributes": {self.attribute: [b"x"]}}
            for name in names
        ]
        return True, {"result": 0, "description": "success", "controls": control}, found, None


def test_a_page_that_comes_twice_proves_nothing():
    server = Server((["uid=a", "uid=b"], b"1"), (["uid=B"], b""))
    with pytest.raises(Inconclusive, match="uid=B was told twice"):
        reading._found(server, EVERYBODY)


def test_an_answer_without_pages_is_whole():
    assert reading._found(Server((["uid=a"], None)), EVERYBODY).pages == 1


def test_values_that_are_told_in_part_prove_nothing():
    server = Server((["cn=a"], None), attribute="member;range=0-1499")
    with pytest.raises(Inconclusive, match="cn=a has more values of member than were told"):
        reading._found(server, EVERYBODY)
