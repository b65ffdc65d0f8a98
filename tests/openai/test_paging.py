"""A listing counts as read only when every page adds up."""

import pytest

from integrations.connectors.openai import paging
from integrations.connectors.openai.paging import Walk
from integrations.connectors.openai.parsing import Page, Unreadable


def walked(*pages: tuple[Page, list[str]]) -> list[str | None]:
    walk = Walk("users")
    return [walk.take(page, ids) for page, ids in pages]


def page(ids: list[str], *, more: bool = False, cursor: str | None = None, **edges: str | None) -> Page:
    told = {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None} | edges
    return Page(tuple(ids), more, cursor or told["last_id"], told["first_id"], told["last_id"])


def test_a_walk_remembers_what_proves_it():
    walk = Walk("users")
    walk.take(page(["a", "b"], more=True), ["a", "b"])
    walk.take(page(["c"]), ["c"])
    assert (walk.pages, walk.items, walk.first_id, walk.last_id) == (2, 3, "a", "c")


def test_an_empty_list_is_a_list_read_to_its_end():
    assert walked((page([]), [])) == [None]


def test_an_empty_last_page_ends_the_list():
    assert walked((page(["a"], more=True), ["a"]), (page([]), [])) == ["a", None]


def test_the_page_says_where_the_next_one_starts():
    assert walked((page(["a", "b"], more=True, cursor="beyond"), ["a", "b"])) == ["beyond"]


def test_without_a_cursor_the_last_row_leads_on():
    nameless = Page(("a", "b"), True, None, None, None)
    assert walked((nameless, ["a", "b"])) == ["b"]


@pytest.mark.parametrize(
    ("pages", "complaint"),
    [
        pytest.param(
            [(page(["a", "a"]), ["a", "a"])],
            "Page 1 of the list of users repeats an id",
            id="twice on a page",
        ),
        pytest.param(
            [(page(["a", "b"], more=True), ["a", "b"]), (page(["c", "a"]), ["c", "a"])],
            "Page 2 of the list of users repeats an id",
            id="twice on two pages",
        ),
        pytest.param(
            [(page([], more=True), [])],
            "Page 1 of the list of users is empty and says that there is more",
            id="empty with more",
        ),
        pytest.param(
            [(page(["a"], more=True, cursor="x"), ["a"]), (page(["b"], more=True, cursor="x"), ["b"])],
            "Page 2 of the list of users leads back to a page already read",
            id="the same cursor again",
        ),
        pytest.param(
            [(page(["a", "b"], first_id="z"), ["a", "b"])],
            "Page 1 of the list of users names another first id than its data has",
            id="another first id",
        ),
        pytest.param(
            [(page(["a", "b"], more=True, last_id="z"), ["a", "b"])],
            "Page 1 of the list of users names another last id than its data has",
            id="another last id",
        ),
        pytest.param(
            [(page([], last_id="z"), [])],
            "Page 1 of the list of users names another last id than its data has",
            id="a last id of nothing",
        ),
    ],
)
def test_a_walk_that_does_not_add_up_is_refused(pages, complaint):
    with pytest.raises(Unreadable, match=f"^{complaint}$"):
        walked(*pages)


def test_a_list_without_end_is_left(monkeypatch):
    monkeypatch.setattr(paging, "PAGE_CAP", 3)
    pages = [(page([name], more=True), [name]) for name in "abc"]
    with pytest.raises(Unreadable, match=r"^The list of users did not end within 3 pages$"):
        walked(*pages)
