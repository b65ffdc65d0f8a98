"""What entries say: OpenLDAP's and Active Directory's, with what is missing or wrong in them."""

import uuid
from typing import Any

import pytest

from directory.ldap.entries import LdapEntry, NoProof, dn_key, people
from directory.ldap.flavours import attributes_of
from directory.people_table import Reading
from tests.directory.builders import NOW

GUID = uuid.UUID("00112233-4455-6677-8899-aabbccddeeff")


def entry(dn: str, **values: Any) -> LdapEntry:
    held = {
        name.casefold(): tuple(
            one if isinstance(one, bytes) else str(one).encode()
            for one in (value if isinstance(value, list) else [value])
        )
        for name, value in values.items()
    }
    return LdapEntry(dn, held)


def read(*entries: LdapEntry, flavour: str = "openldap", lines: str = "", **given: Any) -> Reading:
    given = {"groups": None, "nested": False, "now": NOW, **given}
    groups = given.pop("groups")
    return people(entries, groups, attributes_of(flavour, lines), **given)


def said(reading: Reading) -> list[dict[str, Any]]:
    return [found.values for found in reading.entries]


def test_an_entry_of_openldap():
    ada = entry(
        "uid=ada,dc=x",
        entryUUID="id-1",
        mail=["Ada@x.org", "a.l@x.org"],
        cn="Ada L.",
        displayName="Ada  Lovelace",
        departmentNumber="R&D",
        employeeNumber="7",
    )
    assert said(read(ada)) == [
        {
            "email": "Ada@x.org",
            "name": "Ada Lovelace",
            "active": True,
            "aliases": ("a.l@x.org",),
            "department": "R&D",
            "title": "",
            "employee_id": "7",
            "external_id": "id-1",
        }
    ]


@pytest.mark.parametrize(
    ("control", "active"), [("512", True), ("514", False), ("66050", False), (None, True)]
)
def test_an_entry_of_active_directory(control, active):
    ada = entry(
        "CN=Ada,DC=x",
        objectGUID=GUID.bytes_le,
        mail="ada@x.org",
        cn="Ada",
        proxyAddresses=["SMTP:ada@x.org", "smtp:a.l@x.org", "X500:/o=Example/cn=ada", "SIP:ada@x.org"],
        employeeID="7",
        **({"userAccountControl": control} if control else {}),
    )
    (found,) = said(read(ada, flavour="active_directory"))
    assert (found["external_id"], found["active"]) == (str(GUID), active)
    assert (found["aliases"], found["employee_id"]) == (("ada@x.org", "a.l@x.org"), "7")


def test_an_installation_says_where_else_things_are():
    lines = (
        "email = mail, userPrincipalName\nactive = isActive\nname=\nend_date = leaves\nexternal_id = staffId"
    )
    ada = entry(
        "uid=ada",
        userPrincipalName="ada@x.org",
        isActive="FALSE",
        leaves="20261231230000Z",
        staffId="7",
        cn="Ada",
    )
    (found,) = said(read(ada, lines=lines))
    assert (found["email"], found["active"], found["external_id"]) == ("ada@x.org", False, "7")
    assert (str(found["end_date"]), "name" in found) == ("2026-12-31", False)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("mail", "'mail' says nothing; write COLUMN = ATTRIBUTE"),
        ("salary = pay", "'salary = pay' says nothing"),
        ("title = two words", "'two words' is no attribute of LDAP."),
        ("email =", "Nobody can be told apart without an e-mail."),
    ],
)
def test_a_line_that_says_nothing_is_an_error(lines, sentence):
    with pytest.raises(ValueError, match=sentence):
        attributes_of("openldap", lines)


def test_what_is_wrong_in_an_entry_is_told_and_leaves_what_is_known():
    reading = read(
        entry("uid=ok", entryUUID="1", mail="ok@x.org"),
        entry("uid=robot", entryUUID="2"),
        entry("uid=wrong", entryUUID="3", mail="nobody"),
        entry("uid=long", entryUUID="4", mail="long@x.org", title="x" * 201),
    )
    assert [found.email for found in reading.entries] == ["ok@x.org", "long@x.org"]
    assert "title" not in reading.entries[1].values
    assert reading.unchanged_ids == {"2", "3"}
    no_mail, wrong, long = reading.warnings
    assert no_mail == "uid=robot and uid=wrong: Left as they are known, for want of an e-mail."
    assert wrong == "uid=wrong: mail is left as it is known: 'nobody' is not an e-mail address."
    assert long.startswith("uid=long: title is left as it is known: 'xxx")


def test_entries_with_one_address_are_one_person_and_the_active_one_says_who():
    reading = read(
        entry("CN=old", objectGUID=b"1", mail="ada@x.org", userAccountControl="514", title="Old"),
        entry("CN=new", objectGUID=b"2", mail="ADA@x.org", userAccountControl="512", title="New"),
        flavour="active_directory",
    )
    (found,) = said(reading)
    assert (found["active"], found["external_id"], found["title"]) == (True, "2", "New")
    assert reading.warnings == ["CN=old and CN=new have one address, ada@x.org, and were merged."]


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        (["1", None], "uid=b has no entryUUID, while others have."),
        (["1", "1"], "Two entries have one entryUUID."),
    ],
)
def test_ids_that_cannot_be_prove_nothing(ids, sentence):
    found = [
        entry(dn, mail=f"{dn[4:]}@x.org", **({"entryUUID": id} if id else {}))
        for dn, id in zip(("uid=a", "uid=b"), ids, strict=True)
    ]
    with pytest.raises(NoProof, match=sentence):
        read(*found)


GROUPS = (
    entry("cn=inner,dc=x", cn="inner", member=["uid=A, dc=X", r"uid=c\2c d,dc=x"]),
    entry("cn=outer,dc=x", cn="outer", member=["cn=Inner,dc=x", "cn=outer,dc=x"]),
    entry("cn=posix,dc=x", cn="posix", memberUid=["B", "gone"]),
    entry("cn=unique,dc=x", cn="INNER", uniqueMember=["uid=a,dc=x", "uid=b,dc=x"]),
)


@pytest.mark.parametrize(
    ("nested", "groups"),
    [
        (False, [("inner",), ("posix", "INNER"), ("inner",)]),
        (True, [("inner", "outer"), ("posix", "INNER"), ("inner", "outer")]),
    ],
)
def test_groups_name_their_members_in_many_ways(nested, groups):
    everybody = [
        entry("uid=a,dc=x", mail="a@x.org", uid="a"),
        entry("uid=b,dc=x", mail="b@x.org", uid="b"),
        entry(r"uid=c\, d,dc=x", mail="c@x.org", uid="c"),
    ]
    reading = read(*everybody, groups=GROUPS, nested=nested)
    assert [found["groups"] for found in said(reading)] == groups


@pytest.mark.parametrize(
    "written",
    [
        "CN=Lovelace\\, Ada,OU=R\\26D,DC=x",
        "cn=lovelace\\2C ada, ou=r&d ,dc=X",
        "CN = Lovelace\\,Ada,OU=R&D,DC=x",
    ],
)
def test_one_name_is_written_in_many_ways(written):
    assert dn_key(written) == "cn=lovelace,ada,ou=r&d,dc=x"
