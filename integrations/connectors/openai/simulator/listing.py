"""Ordered lists that hand out pages without scanning, and OpenAI's two styles of paging. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from integrations.connectors.openai.simulator.records import Json
from integrations.connectors.openai.simulator.refusals import Refused

Row = TypeVar("Row")


@dataclass(frozen=True)
class Window:
    """Which part of a list a request asks for."""

    limit: int
    after: str | None = None
    descending: bool = False
    before: str | None = None


@dataclass(frozen=True)
class Page(Generic[Row]):
    rows: Sequence[Row]
    has_more: bool


class Listing(Generic[Row]):
    """Rows in their order. Built once and read by many pages, so that a list of 50,000 stays quick."""

    def __init__(self, rows: Iterable[Row], id_of: Callable[[Row], str]) -> None:
        self._rows = list(rows)
        self._places = {id_of(row): place for place, row in enumerate(self._rows)}

    def page(self, window: Window) -> Page[Row]:
        rows: Sequence[Row]
        if window.before is not None:
            end = self._place(window.before)
            start = max(0, end - window.limit)
            return Page(self._rows[start:end], start > 0)
        if window.descending:
            end = len(self._rows) if window.after is None else self._place(window.after)
            start = max(0, end - window.limit)
            return Page(self._rows[start:end][::-1], start > 0)
        start = 0 if window.after is None else self._place(window.after) + 1
        rows = self._rows[start : start + window.limit]
        return Page(rows, start + window.limit < len(self._rows))

    def _place(self, row_id: str) -> int:
        if row_id not in self._places:
            raise Refused(f"Invalid 'after' cursor: '{row_id}' was not found.", param="after")
        return self._places[row_id]


def style_a(page: Page[Any], shown: Sequence[Json]) -> Json:
    """Users, invites, projects and all kinds of keys: the last row's id is the cursor."""
    return {
        "object": "list",
        "data": shown,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": page.has_more,
    }


def style_b(page: Page[Any], shown: Sequence[Json], key: str = "id") -> Json:
    """Groups, roles and assignments: `next` is the cursor, and null on the last page."""
    return {
        "object": "list",
        "data": shown,
        "has_more": page.has_more,
        "next": shown[-1][key] if shown and page.has_more else None,
    }
