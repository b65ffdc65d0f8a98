"""How the summary of a pack writes things: always in English and in UTC, whoever asked for it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django import template

from cakewalk.charts import Column
from cakewalk.templatetags.cakewalk import duration
from provisioning.evidence.population import WHY_NOT

register = template.Library()

DEEDS = {"row.added": "added", "row.changed": "changed", "row.deleted": "deleted"}


@register.filter
def utc(at: datetime | str | None) -> str:
    return _written(at, "%Y-%m-%d %H:%M")


@register.filter
def utc_exact(at: datetime | str | None) -> str:
    return _written(at, "%Y-%m-%d %H:%M:%S")


def _written(at: datetime | str | None, form: str) -> str:
    if not at:
        return ""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment.astimezone(UTC).strftime(form)


@register.filter
def took(seconds: float | None) -> str:
    return "-" if seconds is None else str(duration(timedelta(seconds=seconds)))


@register.filter
def hours(number: float) -> str:
    return f"{number:,.2f}".rstrip("0").rstrip(".")


@register.filter
def spaced(code: str) -> str:
    return str(code).replace("_", " ")


@register.filter
def less(number: int, other: int) -> int:
    return number - other


@register.filter
def why_not(sort: str) -> str:
    return WHY_NOT.get(sort, "Neither a joiner nor a mover nor a leaver.")


@register.filter
def deed(verb: str) -> str:
    return DEEDS.get(verb, verb)


@register.filter
def told(value: Any) -> str:
    match value:
        case None | "" | []:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
    return str(value)


@register.filter
def python(text: str) -> str:
    """As a literal of Python's."""
    return repr(str(text))


@register.filter
def with_something(columns: Iterable[Column]) -> list[Column]:
    """Without the days on which nothing happened: their row would say nothing."""
    return [column for column in columns if any(text != "0" for text in column.texts)]
