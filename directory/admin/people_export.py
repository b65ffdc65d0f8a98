"""People as a file that can be changed in a spreadsheet and imported again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse

from cakewalk import spreadsheets
from cakewalk.portions import growing
from directory.emails import email_key
from directory.models import Membership, Person, PersonEmail
from directory.people_table import COLUMNS
from directory.time_zones import today

CSV, XLSX = "csv", "xlsx"
CONTENT_TYPES = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
CHUNK = 500
WRITTEN = tuple(column for column in COLUMNS if column not in ("groups", "aliases"))


def exported(people: QuerySet[Person], kind: str) -> StreamingHttpResponse:
    """With the columns that an import knows. It is sent as it is read, however many they are."""
    rows = chain([COLUMNS], _rows(people))
    name = f"people-{today():%Y-%m-%d}.{kind}"
    return StreamingHttpResponse(
        _csv(rows) if kind == CSV else spreadsheets.workbook(rows),
        content_type=CONTENT_TYPES[kind],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _csv(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    return chain([spreadsheets.MARK], spreadsheets.csv_lines(rows))


def _rows(people: QuerySet[Person]) -> Iterator[list[str]]:
    """In three queries for each chunk. Objects of the models would take many times as long."""
    found = people.prefetch_related(None).values_list("pk", *WRITTEN).iterator(chunk_size=CHUNK)
    for size in growing(CHUNK):
        chunk = list(islice(found, size))
        if not chunk:
            return
        ids = [pk for pk, *_ in chunk]
        groups = _by_person(Membership.objects.filter(person__in=ids).order_by("group__name"), "group__name")
        addresses = _by_person(PersonEmail.objects.filter(person__in=ids).order_by("address"), "address")
        for pk, *written in chunk:
            values = dict(zip(WRITTEN, written, strict=True))
            key = email_key(values["email"])
            values["groups"] = groups[pk]
            values["aliases"] = [address for address in addresses[pk] if email_key(address) != key]
            yield [_text(values[column]) for column in COLUMNS]


def _by_person(rows: QuerySet[Any], column: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for person_id, text in rows.values_list("person_id", column):
        found[person_id].append(text)
    return found


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            return "; ".join(value)
        case _:
            return str(value)
