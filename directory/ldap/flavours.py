"""What OpenLDAP and Active Directory call things, and what an installation says instead. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

COLUMNS = (
    "email",
    "name",
    "active",
    "aliases",
    "department",
    "title",
    "employee_id",
    "start_date",
    "end_date",
    "time_zone",
)
OTHERS = ("external_id", "group_name", "group_members", "member_name")


@dataclass(frozen=True, slots=True)
class Attributes:
    """Where the columns of a person and the facts of a group are. Of several, the first that holds something.

    `member_name`: the attribute of people by which a group's `memberUid` names them.
    """

    external_id: str
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group_name: str = "cn"
    group_members: tuple[str, ...] = ("member",)
    member_name: str = ""

    def of_people(self) -> tuple[str, ...]:
        named = {name for names in self.columns.values() for name in names}
        return tuple(sorted({*named, self.external_id, self.member_name} - {""}))

    def of_groups(self) -> tuple[str, ...]:
        return (self.group_name, *self.group_members)


@dataclass(frozen=True, slots=True)
class Flavour:
    people: str
    groups: str
    attributes: Attributes


FLAVOURS = {
    "openldap": Flavour(
        people="(objectClass=inetOrgPerson)",
        groups="(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=posixGroup))",
        attributes=Attributes(
            external_id="entryUUID",
            columns={
                "email": ("mail",),
                "name": ("displayName", "cn"),
                "active": ("pwdAccountLockedTime",),
                "department": ("departmentNumber", "ou"),
                "title": ("title",),
                "employee_id": ("employeeNumber",),
            },
            group_members=("member", "uniqueMember", "memberUid"),
            member_name="uid",
        ),
    ),
    "active_directory": Flavour(
        people="(&(objectCategory=person)(objectClass=user))",
        groups="(objectClass=group)",
        attributes=Attributes(
            external_id="objectGUID",
            columns={
                "email": ("mail",),
                "name": ("displayName", "cn"),
                "active": ("userAccountControl",),
                "aliases": ("proxyAddresses",),
                "department": ("department",),
                "title": ("title",),
                "employee_id": ("employeeID",),
            },
        ),
    ),
}


def attributes_of(flavour: str, lines: str) -> Attributes:
    """The flavour's, changed by lines such as `email = mail, userPrincipalName`. Raises ValueError."""
    if flavour not in FLAVOURS:
        raise ValueError("Choose the kind of server first.")
    attributes = FLAVOURS[flavour].attributes
    columns = dict(attributes.columns)
    others: dict[str, str | tuple[str, ...]] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        key, names = _said(line)
        if key == "group_members":
            others[key] = names
        elif key in OTHERS:
            others[key] = names[0] if names else ""
        elif names:
            columns[key] = names
        else:
            columns.pop(key, None)
    if "email" not in columns:
        raise ValueError("Nobody can be told apart without an e-mail.")
    return replace(attributes, columns=columns, **others)  # type: ignore[arg-type]  # by OTHERS


def _said(line: str) -> tuple[str, tuple[str, ...]]:
    key, equals, names = (part.strip() for part in line.partition("="))
    if not equals or key not in (*COLUMNS, *OTHERS):
        known = ", ".join((*COLUMNS, *OTHERS))
        raise ValueError(f"{line!r} says nothing; write COLUMN = ATTRIBUTE, where COLUMN is one of {known}.")
    found = tuple(name for name in (name.strip() for name in names.split(",")) if name)
    for name in found:
        if not name.replace("-", "").replace(";", "").isalnum() or not name.isascii():
            raise ValueError(f"{name!r} is no attribute of LDAP.")
    return key, found
