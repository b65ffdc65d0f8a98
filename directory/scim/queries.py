"""The part of a SCIM filter that the database can answer. The rest is for the library, in Python."""

import unicodedata
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TypeVar

from django.db.models import Model, Q, QuerySet
from scim2_models import NotFoundException
from scim2_models.path import (
    AttrPath,
    CompareOperator,
    Comparison,
    FilterNode,
    LogicalExpr,
    LogicalOperator,
    ValuePath,
)

from directory.emails import email_key
from directory.scim.mapping import text_key

Row = TypeVar("Row", bound=Model)
NOBODY = Q(pk__in=())


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A condition that holds for all that the filter matches; `exact`: and for nothing else."""

    condition: Q
    exact: bool


EVERYTHING = Narrowed(Q(), exact=False)


@dataclass(frozen=True, slots=True)
class Lookup:
    """How rows are found by the value of one attribute."""

    condition: Callable[[str], Q]
    exact: bool = True


def narrow(node: FilterNode | None, lookups: Mapping[str, Lookup]) -> Narrowed:
    """`lookups`: by the attribute's path in small letters."""
    match node:
        case None:
            return Narrowed(Q(), exact=True)
        case Comparison(attr_path=path, op=CompareOperator.eq, value=str(value)):
            return _compared(lookups.get(_spelled(path)), value)
        case ValuePath(attr_path=path, val_filter=inner):
            within = f"{_spelled(path)}."
            inside = {name.removeprefix(within): lookups[name] for name in lookups if name.startswith(within)}
            found = narrow(inner, inside)
            return Narrowed(found.condition, exact=False)
        case LogicalExpr(op=op, terms=terms):
            return _combined(op, [narrow(term, lookups) for term in terms])
    return EVERYTHING


def _compared(lookup: Lookup | None, value: str) -> Narrowed:
    if lookup is None:
        return EVERYTHING
    if "\0" in value:  # PostgreSQL would not even be asked
        return Narrowed(NOBODY, exact=True)
    return Narrowed(lookup.condition(value), lookup.exact)


def _combined(op: LogicalOperator, parts: list[Narrowed]) -> Narrowed:
    exact = all(part.exact for part in parts)
    conditions = [part.condition for part in parts]
    if op is LogicalOperator.and_:
        return Narrowed(reduce(Q.__and__, conditions), exact)
    return Narrowed(reduce(Q.__or__, conditions), exact=True) if exact else EVERYTHING


def _spelled(path: AttrPath) -> str:
    """Only attributes without their schema's name, which is how they are sent."""
    if path.uri is not None:
        return ""
    return f"{path.attr}.{path.sub_attr}".lower() if path.sub_attr else path.attr.lower()


def one(records: QuerySet[Row], lookups: Mapping[str, Lookup], id: str | None, called: str) -> Row:
    """Raises NotFoundException."""
    record = records.filter(lookups["id"].condition(id or "")).first()
    if record is None:
        raise NotFoundException(detail=f"There is no {called} {id}.")
    return record


def by_id(field: str) -> Lookup:
    def condition(value: str) -> Q:
        found = parse_id(value)
        return Q(**{field: found}) if found else NOBODY

    return Lookup(condition)


def parse_id(text: str) -> uuid.UUID | None:
    """Only as we write it: ids are compared with their case."""
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def without_case(field: str) -> Lookup:
    return Lookup(lambda value: Q(**{field: text_key(value)}))


def with_case(field: str) -> Lookup:
    """The column is as written, so both ways to write an accent are looked for."""

    def condition(value: str) -> Q:
        composed, apart = unicodedata.normalize("NFC", value), unicodedata.normalize("NFD", value)
        return Q(**{f"{field}__in": {value, composed, apart}})

    return Lookup(condition)


def by_address(field: str) -> Lookup:
    return Lookup(lambda value: Q(**{field: email_key(value)}), exact=False)
