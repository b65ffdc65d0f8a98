"""A server with 1,200 people, shared by the tests that only read, and sources that ask it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from directory.models import LdapServer, Source
from tests import machine
from tests.conftest import need
from tests.ldap.slapd import (
    ADMIN,
    GROUPS,
    PASSWORD,
    PEOPLE,
    SUFFIX,
    Slapd,
    certificate,
    group,
    ldif,
    person,
    running,
)

MANY = 1_200


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    need(machine.missing_slapd())
    folder = tmp_path_factory.mktemp("slapd")
    seed = [
        *(person(f"p{number}", title="Engineer" if number % 2 else "") for number in range(MANY)),
        group("engineering", [f"uid=P{number}, {PEOPLE}" for number in range(600)]),
        group("everybody", [f"cn=engineering,{GROUPS}", f"uid=p700,{PEOPLE}", f"cn=everybody,{GROUPS}"]),
        ldif(
            f"cn=posix,{GROUPS}",
            {"objectClass": "posixGroup", "gidNumber": "7", "cn": "posix", "memberUid": "p1"},
        ),
        ldif(
            f"cn=limited,{SUFFIX}",
            {
                "objectClass": ["organizationalRole", "simpleSecurityObject"],
                "cn": "limited",
                "userPassword": "l1mited",
            },
        ),
        ldif(
            f"ou=elsewhere,{SUFFIX}",
            {
                "objectClass": ["referral", "extensibleObject"],
                "ou": "elsewhere",
                "ref": "ldap://127.0.0.1:9/",
            },
        ),
    ]
    with running(folder, seed, certificate=certificate(folder)) as server:
        yield server


@pytest.fixture
def corp(slapd: Slapd, db: None) -> LdapServer:
    return ldap_source("corp", slapd)


def ldap_source(name: str, server: Slapd, **settings: object) -> LdapServer:
    made = Source.objects.create(name=name, kind=Source.Kind.LDAP)
    given = {
        "url": server.url,
        "bind_dn": ADMIN,
        "password": PASSWORD,
        "base_dn": PEOPLE,
        "group_base_dn": GROUPS,
        "source": made,
        **settings,
    }
    found = LdapServer(**given)
    found.full_clean(exclude=["password"])
    found.save()
    return found


@pytest.fixture
def own_slapd(tmp_path: Path) -> Iterator[Slapd]:
    """One of the test's own, to change what it holds."""
    need(machine.missing_slapd())
    people = [person(name) for name in ("ada", "bob", "carl", "dora", "emil", "fay")]
    groups = [group("engineering", [f"uid=ada,{PEOPLE}", f"uid=bob,{PEOPLE}"])]
    with running(tmp_path / "slapd", [*people, *groups]) as server:
        yield server
