"""Settings of an integration as texts, and back: what the `configure` command reads, prints and stores."""

import copy
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.backends.base.operations import BaseDatabaseOperations

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from integrations.models import Integration

SETTINGS = (
    "mode",
    "sync_every_minutes",
    "removal_limit_count",
    "removal_limit_percent",
    "over_limit",
    "first_removals",
    "orphans",
    "managed_domains",
    "minimum_owners",
    "vanished_percent",
    "plan_valid_hours",
    "removal_target_hours",
    "silence_minutes",
    "leaver_keys",
    "renew_invites",
    "four_eyes",
    "separate_key_entry",
)


class BadSettings(Exception):
    """Nothing was changed. `sentences`: what is wrong with each setting, and what it can be."""

    def __init__(self, sentences: Iterable[str]) -> None:
        self.sentences = tuple(sentences)
        super().__init__(" ".join(self.sentences))


@dataclass(frozen=True, slots=True)
class Configured:
    """The integration as it stands now, and what that changed."""

    integration: Integration
    changed: tuple[str, ...]
    mode_raised: bool


def settings_of(integration: Integration) -> dict[str, Any]:
    return {name: getattr(integration, name) for name in SETTINGS}


def schedule_of(integration: Integration) -> dict[str, Any]:
    """When the next sync is due, and what keeps it from being due sooner."""
    return {
        "next_sync_at": _iso(integration.next_sync_at),
        "failed_jobs": integration.failed_jobs,
        "slowed": integration.slowed,
        "paused_since": _iso(integration.rejected_at),
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def as_text(value: Any) -> str:
    """A setting's value in the form in which it is set."""
    return str(value).lower() if isinstance(value, bool) else " ".join(str(value).split())


def read_settings(assignments: Iterable[str]) -> dict[str, Any]:
    """The values of texts such as `mode=extend`. Raises BadSettings, with a sentence for each bad one."""
    values: dict[str, Any] = {}
    sentences = []
    for assignment in assignments:
        try:
            name, value = _read(assignment)
            if name in values:
                raise ValueError(f"{name} is set more than once.")
            values[name] = value
        except ValueError as problem:
            sentences.append(str(problem))
    if sentences:
        raise BadSettings(sentences)
    return values


def configure(
    integration: Integration,
    values: Mapping[str, Any],
    *,
    now: datetime,
    facts: Mapping[str, Any] | None = None,
) -> Configured:
    """Store these settings, all or none, and plan the next sync anew where they ask for it. `facts`: what
    the ledger is to keep beside them.
    """
    with together():
        before = Integration.objects.select_for_update().get(pk=integration.pk)
        after = copy.copy(before)
        for name, value in values.items():
            setattr(after, name, value)
        _check_together(after, values)
        changed = tuple(name for name in values if getattr(before, name) != getattr(after, name))
        after.save(update_fields=changed)
        after.reschedule_since(before, now=now)
        if changed:
            was, became = ({name: getattr(row, name) for name in changed} for row in (before, after))
            record(Verb.CHANGED, after, before=was, after=became, facts=facts)
    return Configured(after, changed, after.goes_further_than(before))


def _read(assignment: str) -> tuple[str, Any]:
    """Raises ValueError with a sentence, which never repeats a text that may be anything."""
    name, equals, text = (part.strip() for part in assignment.partition("="))
    if not equals:
        raise ValueError("--set takes SETTING=VALUE, such as mode=extend.")
    if name not in SETTINGS:
        raise ValueError(f"There is no setting {name!r}. There are: {', '.join(SETTINGS)}.")
    return name, _value(Integration._meta.get_field(name), text)


def _value(field: Any, text: str) -> Any:
    if field.choices:
        known = [str(value) for value, _ in field.choices]
        return _one_of(field.name, text, {value: value for value in known})
    if isinstance(field, models.BooleanField):
        return _one_of(field.name, text.lower(), {"true": True, "false": False})
    if isinstance(field, models.IntegerField):
        return _whole_number(field, text)
    return text


def _one_of(name: str, text: str, known: Mapping[str, Any]) -> Any:
    if text not in known:
        *others, last = known
        raise ValueError(f"{name} can be {', '.join(others)} or {last}; {text!r} is none of these.")
    return known[text]


def _whole_number(field: "models.IntegerField[Any, Any]", text: str) -> int:
    least, most = _limits(field)
    number = int(text) if re.fullmatch(r"[0-9]{1,20}", text) else None
    if number is None or not least <= number <= most:
        raise ValueError(f"{field.name} takes a whole number from {least} to {most}; {text!r} is not one.")
    return number


def _limits(field: "models.IntegerField[Any, Any]") -> tuple[int, int]:
    """The field's own, within what every database stores: SQLite alone would take far more."""
    least, most = BaseDatabaseOperations.integer_field_ranges[field.get_internal_type()]
    for validator in field.validators:
        if isinstance(validator, MinValueValidator):
            least = max(least, validator.limit_value)
        elif isinstance(validator, MaxValueValidator):
            most = min(most, validator.limit_value)
    return least, most


def _check_together(integration: Integration, values: Mapping[str, Any]) -> None:
    others = [field.name for field in integration._meta.fields if field.name not in values]
    try:
        integration.full_clean(exclude=others, validate_unique=False, validate_constraints=False)
    except ValidationError as error:
        raise BadSettings(
            f"{name}: {message}" for name, messages in error.message_dict.items() for message in messages
        ) from error
