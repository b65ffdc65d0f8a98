"""Rules as a TOML file: read with every mistake named, written back in the same form."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomli_w
from django.utils import translation

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.saying import differences, said_of
from cakewalk.ledger.verbs import Verb
from directory.models import Group
from integrations.catalog import connector_class
from integrations.connectors.base import Vocabulary, plural
from integrations.models import Integration
from provisioning.group_planning import GroupGrant as GroupGrantValue
from provisioning.models import AccessRule, GroupGrant, GroupRule, RuleGrant
from provisioning.policy import RuleGrant as GrantValue


class RulesFileError(Exception):
    """The file cannot be taken; `problems` names each place and what to do. Nothing was written."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class FileRule:
    name: str
    group: str | None
    role: str
    grants: tuple[GrantValue, ...]
    state: str


@dataclass(frozen=True, slots=True)
class FileGroupRule:
    name: str
    grants: tuple[GroupGrantValue, ...]
    state: str


@dataclass(frozen=True, slots=True)
class RulesFile:
    rules: tuple[FileRule, ...]
    groups: tuple[FileGroupRule, ...]


def parse(content: bytes, vocabulary: Vocabulary) -> RulesFile:
    """Raises RulesFileError with all problems at once."""
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulesFileError([f"The file is not TOML in UTF-8: {error}"]) from error
    tables, group_tables = document.pop("rule", []), document.pop("group", [])
    problems = [f"Unknown key {key!r} at the top; rules are [[rule]] tables." for key in document]
    if not _are_tables(tables):
        raise RulesFileError([*problems, "Rules are [[rule]] tables."])
    if not _are_tables(group_tables):
        raise RulesFileError([*problems, "Groups are [[group]] tables."])
    if not tables and not group_tables:
        raise RulesFileError([*problems, "The file holds no [[rule]]."])
    if group_tables and vocabulary.groups_hold is None:
        raise RulesFileError([*problems, "Groups hold nothing here, so there are no [[group]] tables."])
    readers = [_Reader(table, f"Rule {place}", vocabulary) for place, table in enumerate(tables, start=1)]
    group_readers = [
        _GroupReader(table, f"Group {place}", vocabulary) for place, table in enumerate(group_tables, start=1)
    ]
    rules = [reader.rule() for reader in readers]
    groups = [reader.group_rule() for reader in group_readers]
    problems += [problem for reader in (*readers, *group_readers) for problem in reader.problems]
    problems += _repeated("rules", [rule.name for rule in rules])
    problems += _repeated("groups", [group.name for group in groups])
    if problems:
        raise RulesFileError(problems)
    return RulesFile(tuple(rules), tuple(groups))


def _are_tables(found: Any) -> bool:
    return isinstance(found, list) and all(isinstance(table, dict) for table in found)


def _repeated(what: str, names: Sequence[str]) -> list[str]:
    folded = [name.casefold() for name in names]
    return [
        f"Two {what} are named {name!r}." for name in sorted(set(folded)) if name and folded.count(name) > 1
    ]


class _Reader:
    """Reads one [[rule]], collecting what is wrong with it."""

    KEYS = ("name", "group", "role", "state")

    def __init__(self, table: Mapping[str, Any], place: str, vocabulary: Vocabulary) -> None:
        self.table = table
        self.place = f"{place} ({table['name']})" if isinstance(table.get("name"), str) else place
        self.vocabulary = vocabulary
        self.problems: list[str] = []

    def rule(self) -> FileRule:
        plurals = {plural(kind): kind for kind in self.vocabulary.entitlement_roles}
        for key in self.table.keys() - {*self.KEYS, *plurals}:
            self._wrong(f"has an unknown key {key!r}; there are {', '.join([*self.KEYS, *plurals])}")
        return FileRule(
            name=self._text("name"),
            group=self._text("group") if "group" in self.table else None,
            role=self._one_of("role", self._text("role"), self.vocabulary.roles),
            grants=tuple(self._grants(plurals)),
            state=self._state(),
        )

    def _state(self) -> str:
        state = self.table.get("state", AccessRule.State.DRAFT)
        return self._one_of("state", state, AccessRule.State.values)

    def _wrong(self, what: str) -> None:
        self.problems.append(f"{self.place} {what}.")

    def _text(self, key: str) -> str:
        value = self.table.get(key)
        if not isinstance(value, str) or not value.strip():
            self._wrong(f"needs a {key}, a text" if key not in self.table else f"has a {key} that is no text")
            return ""
        return value.strip()

    def _one_of(self, key: str, value: Any, allowed: Sequence[str]) -> str:
        if value and value not in allowed:
            self._wrong(f"has {key} {value!r}; choose one of {', '.join(allowed)}")
        return str(value)

    def _grants(self, plurals: Mapping[str, str]) -> list[GrantValue]:
        grants: dict[tuple[str, str], GrantValue] = {}
        for key, kind in plurals.items():
            entries = self.table.get(key, [])
            if not isinstance(entries, list):
                self._wrong(f"has {key} that is no list")
                continue
            for entry in entries:
                grant = self._grant(key, kind, entry)
                if grant and (kind, grant.name.casefold()) in grants:
                    self._wrong(f"names the {kind} {grant.name!r} twice")
                elif grant:
                    grants[kind, grant.name.casefold()] = grant
        return list(grants.values())

    def _grant(self, key: str, kind: str, entry: Any) -> GrantValue | None:
        roles = self.vocabulary.entitlement_roles[kind]
        usual = self.vocabulary.usual_role(kind)
        if isinstance(entry, str):
            entry = {"name": entry}
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not entry["name"].strip():
            self._wrong(f"has an entry in {key} without a name")
            return None
        if unknown := entry.keys() - {"name", "role", "create"}:
            self._wrong(f"has an unknown key {min(unknown)!r} in {key}")
        role = self._one_of(f"{kind} role", entry.get("role", usual), roles)
        return GrantValue(kind, entry["name"].strip(), role, self._create(key, kind, entry))

    def _create(self, key: str, kind: str, entry: Mapping[str, Any]) -> bool:
        create = entry.get("create", False)
        if not isinstance(create, bool):
            self._wrong(f"has a create in {key} that is neither true nor false")
        elif create and kind not in self.vocabulary.creatable:
            makes = ", ".join(plural(one) for one in sorted(self.vocabulary.creatable))
            self._wrong(f"wants a {kind} to be created, which is for {makes or 'nothing here'} only")
        return create is True


class _GroupReader(_Reader):
    """Reads one [[group]]: a group of the remote, and its one role in each place."""

    def group_rule(self) -> FileGroupRule:
        places = plural((self.vocabulary.groups_hold or ("", ""))[1])
        for key in self.table.keys() - {"name", places, "state"}:
            self._wrong(f"has an unknown key {key!r}; there are name, {places}, state")
        if places not in self.table:
            self._wrong(f"needs {places}, a list, which may be empty")
        return FileGroupRule(self._text("name"), tuple(self._roles(places)), self._state())

    def _roles(self, places: str) -> list[GroupGrantValue]:
        entries = self.table.get(places, [])
        if not isinstance(entries, list):
            self._wrong(f"has {places} that is no list")
            return []
        grants: dict[str, GroupGrantValue] = {}
        for entry in entries:
            grant = self._role(places, entry)
            if grant and grant.place.casefold() in grants:
                self._wrong(f"names {grant.place!r} twice in {places}")
            elif grant:
                grants[grant.place.casefold()] = grant
        return list(grants.values())

    def _role(self, places: str, entry: Any) -> GroupGrantValue | None:
        if not isinstance(entry, dict):
            entry = {}
        for key in ("name", "role"):
            if not isinstance(entry.get(key), str) or not entry[key].strip():
                self._wrong(f"has an entry in {places} without a {key}")
                return None
        if unknown := entry.keys() - {"name", "role"}:
            self._wrong(f"has an unknown key {min(unknown)!r} in {places}")
        return GroupGrantValue(entry["name"].strip(), entry["role"].strip())


def import_rules(integration: Integration, content: bytes) -> dict[str, list[str]]:
    """Add and change rules by their name, all or none; rules that the file does not name stay.

    Returns the names of the rules that were added, changed and left as they were.
    """
    file = parse(content, connector_class(integration.kind).vocabulary)
    rules = file.rules
    groups = {group.name.casefold(): group for group in Group.objects.all()}
    missing = sorted({rule.group for rule in rules if rule.group and rule.group.casefold() not in groups})
    if missing:
        raise RulesFileError(
            [f"There is no directory group {name!r}. Import or add it first." for name in missing]
        )
    outcome: dict[str, list[str]] = {"added": [], "changed": [], "unchanged": []}
    with together():
        for rule in rules:
            group = groups[rule.group.casefold()] if rule.group else None
            outcome[_store(integration, rule, group)].append(rule.name)
        for of_group in file.groups:
            outcome[_store_group(integration, of_group)].append(f"group {of_group.name}")
    return outcome


def _store(integration: Integration, rule: FileRule, group: Group | None) -> str:
    stored = integration.rules.filter(name__iexact=rule.name).first()
    wanted = {"name": rule.name, "group": group, "role": rule.role, "state": rule.state}
    if stored and _same(stored, rule, wanted):
        return "unchanged"
    before = said_of_rule(stored) if stored else None
    row = stored or AccessRule(integration=integration)
    for field, value in wanted.items():
        setattr(row, field, value)
    row.save()
    row.grants.all().delete()
    RuleGrant.objects.bulk_create(
        RuleGrant(rule=row, kind=grant.kind, name=grant.name, role=grant.role, create=grant.create)
        for grant in rule.grants
    )
    return _told(row, before)


def said_of_rule(rule: AccessRule | GroupRule) -> dict[str, Any]:
    """As the pages of rules tell of it, too: its fields, and what it grants."""
    with translation.override("en"):
        return {**said_of(rule), "grants": sorted(str(grant) for grant in rule.grants.all())}


def _told(rule: AccessRule | GroupRule, before: Mapping[str, Any] | None) -> str:
    after = said_of_rule(rule)
    if before is None:
        record(Verb.ADDED, rule, after=after)
        return "added"
    old, new = differences(before, after)
    record(Verb.CHANGED, rule, before=old, after=new)
    return "changed"


def _same(stored: AccessRule, rule: FileRule, wanted: Mapping[str, Any]) -> bool:
    held = {grant.as_value() for grant in stored.grants.all()}
    same = held == set(rule.grants)
    return same and all(getattr(stored, field) == value for field, value in wanted.items())


def _store_group(integration: Integration, rule: FileGroupRule) -> str:
    stored = integration.group_rules.filter(name__iexact=rule.name).first()
    if stored:
        held = {(grant.name, grant.role) for grant in stored.grants.all()}
        asked = {(grant.place, grant.role) for grant in rule.grants}
        if (stored.name, stored.state, held) == (rule.name, rule.state, asked):
            return "unchanged"
    before = said_of_rule(stored) if stored else None
    row = stored or GroupRule(integration=integration)
    row.name, row.state = rule.name, rule.state
    row.save()
    row.grants.all().delete()
    GroupGrant.objects.bulk_create(
        GroupGrant(rule=row, name=grant.place, role=grant.role) for grant in rule.grants
    )
    return _told(row, before)


def export_rules(integration: Integration) -> str:
    """All rules of an integration as TOML, in the order of their names."""
    vocabulary = connector_class(integration.kind).vocabulary
    rules = integration.rules.select_related("group").prefetch_related("grants").order_by("name")
    document = {"rule": [_table(rule, vocabulary) for rule in rules]}
    of_groups = integration.group_rules.prefetch_related("grants").order_by("name")
    tables = [_group_table(rule, vocabulary) for rule in of_groups]
    return tomli_w.dumps(document | ({"group": tables} if tables else {}))


def _group_table(rule: GroupRule, vocabulary: Vocabulary) -> dict[str, Any]:
    _, place = vocabulary.groups_hold or ("", "")
    grants = sorted(rule.grants.all(), key=lambda grant: grant.name)
    held = [{"name": grant.name, "role": grant.role} for grant in grants]
    return {"name": rule.name, plural(place): held, "state": rule.state}


def _table(rule: AccessRule, vocabulary: Vocabulary) -> dict[str, Any]:
    """What has one role only is written by its name alone, unless it is to be made."""
    table: dict[str, Any] = {"name": rule.name}
    if rule.group:
        table["group"] = rule.group.name
    table["role"] = rule.role
    for grant in sorted(rule.grants.all(), key=lambda grant: (grant.kind, grant.name)):
        one_role = vocabulary.entitlement_roles.get(grant.kind) == (grant.role,)
        entry: dict[str, Any] = {"name": grant.name} | ({} if one_role else {"role": grant.role})
        entry |= {"create": True} if grant.create else {}
        table.setdefault(plural(grant.kind), []).append(entry if len(entry) > 1 else grant.name)
    return table | {"state": rule.state}
