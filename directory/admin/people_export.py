"""People as a file that can be changed in a spreadsheet and imported again."""

from collections.abc import Iterable, Iterator
from itertools import chain

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone

from cakewalk import spreadsheets
from directory.models import Person
from directory.people_table import COLUMNS

CSV, XLSX = "csv", "xlsx"
CONTENT_TYPES = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
CHUNK = 1000


def exported(people: QuerySet[Person], kind: str) -> StreamingHttpResponse:
    """With the columns that an import knows. It is sent as it is read, however many they are."""
    rows = chain([COLUMNS], map(_cells, people.iterator(chunk_size=CHUNK)))
    name = f"people-{timezone.localdate():%Y-%m-%d}.{kind}"
    return StreamingHttpResponse(
        _csv(rows) if kind == CSV else spreadsheets.workbook(rows),
        content_type=CONTENT_TYPES[kind],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _csv(rows: Iterable[Iterable[str]]) -> Iterator[str]:
    return chain([spreadsheets.MARK], spreadsheets.csv_lines(rows))


def _cells(person: Person) -> Iterable[str]:
    values = {
        "email": person.email,
        "name": person.name,
        "active": "yes" if person.active else "no",
        "groups": "; ".join(group.name for group in person.groups.all()),
        "aliases": "; ".join(person.aliases()),
        "department": person.department,
        "title": person.title,
        "employee_id": person.employee_id,
        "start_date": person.start_date.isoformat() if person.start_date else "",
        "end_date": person.end_date.isoformat() if person.end_date else "",
        "time_zone": person.time_zone,
    }
    return [values[column] for column in COLUMNS]
