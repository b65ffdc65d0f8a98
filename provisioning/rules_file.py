"""Access rules as a TOML file: read with every mistake named, written back in the same form."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomli_w
from django.db import transaction

from directory.models import Group
from integrations.catalog import connector_class
from integrations.connectors.base import Vocabulary, plural
from integrations.models import Integration
from provisioning.models import AccessRule, RuleGrant
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


def parse(content: bytes, vocabulary: Vocabulary) -> list[FileRule]:
    """Raises RulesFileError with all problems at once."""
    try:
        document = tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RulesFileError([f"The file is not TOML in UTF-8: {error}"]) from error
    tables = document.pop("rule", [])
    problems = [f"Unknown key {key!r} at the top; rules are [[rule]] tables." for key in document]
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise RulesFileError([*problems, "Rules are [[rule]] tables."])
    if not tables:
        raise RulesFileError([*problems, "The file holds no [[rule]]."])
    readers = [_Reader(table, f"Rule {place}", vocabulary) for place, table in enumerate(tables, start=1)]
    rules = [reader.rule() for reader in readers]
    problems += [problem for reader in readers for problem in reader.problems]
    problems += _repeated([rule.name for rule in rules])
    if problems:
        raise RulesFileError(problems)
    return rules


def _repeated(names: Sequence[str]) -> list[str]:
    folded = [name.casefold() for name in names]
    return [
        f"Two rules are named {name!r}." for name in sorted(set(folded)) if name and folded.count(name) > 1
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
            state=self._one_of(
                "state", self.table.get("state", AccessRule.State.DRAFT), AccessRule.State.values
            ),
        )

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


def import_rules(integration: Integration, content: bytes) -> dict[str, list[str]]:
    """Add and change rules by their name, all or none; rules that the file does not name stay.

    Returns the names of the rules that were added, changed and left as they were.
    """
    rules = parse(content, connector_class(integration.kind).vocabulary)
    groups = {group.name.casefold(): group for group in Group.objects.all()}
    missing = sorted({rule.group for rule in rules if rule.group and rule.group.casefold() not in groups})
    if missing:
        raise RulesFileError(
            [f"There is no directory group {name!r}. Import or add it first." for name in missing]
        )
    outcome: dict[str, list[str]] = {"added": [], "changed": [], "unchanged": []}
    with transaction.atomic():
        for rule in rules:
            group = groups[rule.group.casefold()] if rule.group else None
            outcome[_store(integration, rule, group)].append(rule.name)
    return outcome


def _store(integration: Integration, rule: FileRule, group: Group | None) -> str:
    stored = integration.rules.filter(name__iexact=rule.name).first()
    wanted = {"name": rule.name, "group": group, "role": rule.role, "state": rule.state}
    if stored and _same(stored, rule, wanted):
        return "unchanged"
    row = stored or AccessRule(integration=integration)
    for field, value in wanted.items():
        setattr(row, field, value)
    row.save()
    row.grants.all().delete()
    RuleGrant.objects.bulk_create(
        RuleGrant(rule=row, kind=grant.kind, name=grant.name, role=grant.role, create=grant.create)
        for grant in rule.grants
    )
    return "changed" if stored else "added"


def _same(stored: AccessRule, rule: FileRule, wanted: Mapping[str, Any]) -> bool:
    held = {grant.as_value() for grant in stored.grants.all()}
    same = held == set(rule.grants)
    return same and all(getattr(stored, field) == value for field, value in wanted.items())


def export_rules(integration: Integration) -> str:
    """All rules of an integration as TOML, in the order of their names."""
    vocabulary = connector_class(integration.kind).vocabulary
    rules = integration.rules.select_related("group").prefetch_related("grants").order_by("name")
    return tomli_w.dumps({"rule": [_table(rule, vocabulary) for rule in rules]})


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
