"""The proof that a listing was read to its end. Pure."""

from collections.abc import Sequence

from integrations.connectors.openai.parsing import Page, Unreadable

PAGE_CAP = 10_000


class Walk:
    """One walk through a listing, page by page. Anything that does not add up is Unreadable."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.pages = 0
        self.first_id: str | None = None
        self.last_id: str | None = None
        self._ids: set[str] = set()
        self._cursors: set[str] = set()

    @property
    def items(self) -> int:
        return len(self._ids)

    @property
    def place(self) -> str:
        """The page that comes next, in words."""
        return f"Page {self.pages + 1} of the list of {self.name}"

    def take(self, page: Page, ids: Sequence[str]) -> str | None:
        """Add a page with the ids of its rows; returns the cursor of the next one, None at the end."""
        place = self.place
        self._check_edges(page, ids, place)
        self._check_unseen(ids, place)
        if ids:
            self.first_id = self.first_id or ids[0]
            self.last_id = ids[-1]
        self.pages += 1
        return self._next_cursor(page, ids, place) if page.has_more else None

    def _check_edges(self, page: Page, ids: Sequence[str], place: str) -> None:
        for name, told, found in (
            ("first", page.first_id, ids[0] if ids else None),
            ("last", page.last_id, ids[-1] if ids else None),
        ):
            if told is not None and told != found:
                raise Unreadable(f"{place} names another {name} id than its data has")

    def _check_unseen(self, ids: Sequence[str], place: str) -> None:
        before = len(self._ids)
        self._ids.update(ids)
        if len(self._ids) != before + len(ids):
            raise Unreadable(f"{place} repeats an id")

    def _next_cursor(self, page: Page, ids: Sequence[str], place: str) -> str:
        if not ids:
            raise Unreadable(f"{place} is empty and says that there is more")
        cursor = page.cursor or ids[-1]
        if cursor in self._cursors:
            raise Unreadable(f"{place} leads back to a page already read")
        if self.pages >= PAGE_CAP:
            raise Unreadable(f"The list of {self.name} did not end within {PAGE_CAP:,} pages")
        self._cursors.add(cursor)
        return cursor
