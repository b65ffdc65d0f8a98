"""What entries of an LDAP server say of people and groups. No network, no database."""

import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from directory.emails import email_key
from directory.ldap.flavours import Attributes
from directory.people_table import COLUMNS, MAX_GROUP_LENGTH, Entry, Reading, listed, merged, once

DISABLED = 0x2
"""Of `userAccountControl` in Active Directory."""
LOCKED_FOR_GOOD = "000001010000Z"
"""Of `pwdAccountLockedTime` in OpenLDAP: locked by an administrator."""
NAMED, TROUBLES_TOLD = 5, 20


@dataclass(frozen=True, slots=True)
class LdapEntry:
    """`values` by the attribute's name in small letters."""

    dn: str
    values: Mapping[str, tuple[bytes, ...]]

    def texts(self, attribute: str) -> list[str]:
        held = self.values.get(attribute.casefold(), ())
        return [text for text in (value.decode("utf-8", "replace").strip() for value in held) if text]


class Inconclusive(Exception):
    """The read is not proven complete, so nothing follows from it. The message says why, in a sentence."""


class NoProof(Exception):
    """What was read contradicts itself."""


def people(
    entries: Sequence[LdapEntry],
    groups: Sequence[LdapEntry] | None,
    attributes: Attributes,
    *,
    nested: bool,
    now: datetime,
) -> Reading:
    """Everyone with an address, with their groups; `groups` None: the server is not asked for them."""
    ids = _ids(entries, attributes)
    belongs = _memberships(entries, groups, attributes, nested=nested) if groups is not None else {}
    reader = _Reader(attributes)
    by_address: dict[str, list[tuple[LdapEntry, dict[str, Any]]]] = {}
    without_address = set()
    for entry in entries:
        said = reader.values(entry)
        if "email" not in said:
            without_address.add(ids.get(entry.dn, ""))
            continue
        if entry.dn in ids:
            said["external_id"] = ids[entry.dn]
        if groups is not None:
            said["groups"] = once(belongs.get(entry.dn, ()), str.casefold)
        by_address.setdefault(email_key(said["email"]), []).append((entry, said))
    return Reading(
        rows=len(entries),
        columns=tuple(attributes.columns),
        entries=[_person(key, found, now) for key, found in by_address.items()],
        warnings=[*reader.warnings(), *_shared(by_address)],
        unchanged_ids=frozenset(without_address - {""}),
    )


def _ids(entries: Sequence[LdapEntry], attributes: Attributes) -> dict[str, str]:
    """The server's id of each entry, by DN; of all or of none. Raises NoProof."""
    ids = {entry.dn: found for entry in entries if (found := _id(entry, attributes.external_id))}
    if ids and len(ids) < len(entries):
        lacking = next(entry.dn for entry in entries if entry.dn not in ids)
        raise NoProof(f"{lacking} has no {attributes.external_id}, while others have.")
    if len(set(ids.values())) < len(ids):
        raise NoProof(f"Two entries have one {attributes.external_id}.")
    return ids


def _id(entry: LdapEntry, attribute: str) -> str:
    held = entry.values.get(attribute.casefold(), ())
    if attribute.casefold() == "objectguid" and held and len(held[0]) == 16:
        return str(uuid.UUID(bytes_le=held[0]))
    return held[0].decode("utf-8", "replace") if held else ""


def _person(key: str, found: list[tuple[LdapEntry, dict[str, Any]]], now: datetime) -> Entry:
    """Of several entries with one address, the first by id that is active says who it is."""
    said = sorted(
        (values for _, values in found), key=lambda one: (not one.get("active"), one.get("external_id", ""))
    )
    together = merged(said, now)
    if external_id := said[0].get("external_id"):
        together["external_id"] = external_id
    return Entry(key, (), together)


def _shared(by_address: Mapping[str, list[tuple[LdapEntry, dict[str, Any]]]]) -> Iterator[str]:
    for found in by_address.values():
        if len(found) > 1:
            names = listed(entry.dn for entry, _ in found)
            yield f"{names} have one address, {found[0][1]['email']}, and were merged."


@dataclass(slots=True)
class _Reader:
    """Understands entries, and counts what it could not."""

    attributes: Attributes
    troubles: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def values(self, entry: LdapEntry) -> dict[str, Any]:
        """By column; what is wrong is left as it is known, and told."""
        said: dict[str, Any] = {} if "active" in self.attributes.columns else {"active": True}
        for column, names in self.attributes.columns.items():
            name = next((name for name in names if entry.texts(name)), names[0])
            try:
                said |= _column(column, name, entry.texts(name))
            except ValueError as error:
                self.troubles[f"{name} is left as it is known: {error}"].append(entry.dn)
        if "email" not in said:
            self.troubles["Left as they are known, for want of an e-mail."].append(entry.dn)
        return said

    def warnings(self) -> Iterator[str]:
        for place, (trouble, names) in enumerate(self.troubles.items()):
            if place == TROUBLES_TOLD:
                yield f"There are {len(self.troubles) - place} more such troubles."
                return
            shown = names if len(names) <= NAMED else [*names[:NAMED], f"{len(names) - NAMED} more"]
            yield f"{listed(shown)}: {trouble}"


def _column(column: str, attribute: str, texts: list[str]) -> dict[str, Any]:
    """What one column says, by column. Raises ValueError."""
    match column:
        case "email":
            return _emails(texts)
        case "active":
            return {"active": not any(_disables(attribute, text) for text in texts)}
        case "aliases":
            return {"aliases": tuple(COLUMNS["email"]("email", alias) for alias in _addresses(texts))}
        case "start_date" | "end_date":
            return {column: COLUMNS[column](column, _day(texts[0]) if texts else "")}
        case _:
            return {column: COLUMNS[column](column, " ".join(texts[0].split()) if texts else "")}


def _emails(texts: list[str]) -> dict[str, Any]:
    """The first is the one that counts; a server that tells more of them tells aliases."""
    if not texts:
        return {}
    primary, *others = (COLUMNS["email"]("email", text) for text in texts)
    return {"email": primary, **({"aliases": tuple(others)} if others else {})}


def _addresses(texts: Iterable[str]) -> Iterator[str]:
    """Of `proxyAddresses`: `SMTP:ada@example.org`, and not `X500:/o=...`."""
    for text in texts:
        kind, _, address = text.rpartition(":")
        if kind.casefold() in ("", "smtp"):
            yield address


def _disables(attribute: str, text: str) -> bool:
    match attribute.casefold():
        case "useraccountcontrol":
            return bool(int(text) & DISABLED)
        case "nsaccountlock":
            return text.casefold() == "true"
        case "pwdaccountlockedtime":
            return text == LOCKED_FOR_GOOD
        case _:
            return COLUMNS["active"]("active", text) is False


def _day(text: str) -> str:
    """`20260131230000Z` as `2026-01-31`."""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}" if re.match(r"\d{8}", text) else text


def _memberships(
    entries: Sequence[LdapEntry], groups: Sequence[LdapEntry], attributes: Attributes, *, nested: bool
) -> dict[str, list[str]]:
    """The names of the groups that each person is in, by the person's DN."""
    members = {dn_key(group.dn): _members(group, attributes) for group in groups}
    people: dict[str, str] = {dn_key(entry.dn): entry.dn for entry in entries}
    if attributes.member_name:
        people |= {
            f"={text.casefold()}": entry.dn
            for entry in entries
            for text in entry.texts(attributes.member_name)
        }
    belongs: dict[str, list[str]] = defaultdict(list)
    for group in sorted(groups, key=lambda group: group.dn.casefold()):
        name = next(iter(group.texts(attributes.group_name)), "")[:MAX_GROUP_LENGTH]
        for member in _inside(dn_key(group.dn), members, nested=nested) if name else ():
            if member in people:
                belongs[people[member]].append(name)
    return belongs


def _members(group: LdapEntry, attributes: Attributes) -> set[str]:
    """DNs as keys, and names with `=` before them."""
    found = set()
    for attribute in attributes.group_members:
        is_name = attribute.casefold() == "memberuid"
        found |= {f"={text.casefold()}" if is_name else dn_key(text) for text in group.texts(attribute)}
    return found


def _inside(group: str, members: Mapping[str, set[str]], *, nested: bool) -> set[str]:
    if not nested:
        return members[group]
    found: set[str] = set()
    seen, waiting = {group}, [group]
    while waiting:
        inner = members[waiting.pop()]
        found |= inner
        more = [one for one in inner if one in members and one not in seen]
        seen.update(more)
        waiting += more
    return found


def _unescaped(found: re.Match[str]) -> str:
    """`\\2c` and `\\,` are a comma."""
    return found[2] or bytes.fromhex(found[1].replace("\\", "")).decode("utf-8", "replace")


def dn_key(dn: str) -> str:
    """The name in the form in which names are compared: without case and the spaces between its parts."""
    text = dn.casefold()
    if "\\" in text:
        text = re.sub(r"((?:\\[0-9a-f]{2})+)|\\(.)", _unescaped, text)
    return re.sub(r"\s*([,=+])\s*", r"\1", text.strip())
