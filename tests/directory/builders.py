"""Files and people for the directory's tests."""

import io
from datetime import UTC, datetime
from typing import Any

import openpyxl

from directory import importing
from directory.import_plan import ImportPlan, Options
from directory.models import Group, Person, Source

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def csv_file(*lines: str) -> bytes:
    return "\n".join(lines).encode()


def excel_file(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in rows:
        sheet.append(row)
    return saved(book)


def saved(book: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def import_lines(*lines: str, **options: Any) -> ImportPlan:
    return importing.import_people("people.csv", csv_file(*lines), Options(**options), now=NOW)


def source(name: str = "file", kind: str = Source.Kind.FILE) -> Source:
    return Source.objects.get_or_create(name=name, defaults={"kind": kind})[0]


def person(
    email: str, *, groups: tuple[str, ...] = (), aliases: tuple[str, ...] = (), **values: Any
) -> Person:
    values.setdefault("source", source())
    made = Person.objects.create(email=email, **values)
    made.claim_addresses(aliases)
    made.groups.set(Group.objects.get_or_create(name=name)[0] for name in groups)
    return made


def directory() -> dict[str, Any]:
    """Everything the directory says about everyone, by e-mail."""
    return {
        person.email: {
            "name": person.name,
            "active": person.active,
            "groups": sorted(group.name for group in person.groups.all()),
            "addresses": sorted(address.key for address in person.addresses.all()),
            "source": person.source.name,
        }
        for person in Person.objects.select_related("source").prefetch_related("groups", "addresses")
    }


def problems(plan: ImportPlan) -> list[tuple[int | None, str | None, str]]:
    return [(problem.row, problem.column, problem.detail) for problem in plan.problems]
