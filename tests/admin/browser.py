"""What a browser would send back of a page, were its form submitted as it is shown."""

from collections.abc import Mapping
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from django.contrib.messages import get_messages
from django.test import Client

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

Typed = dict[str, Any]


class _Forms(HTMLParser):
    """The values of every form on a page but its token, by the form's id or else its action."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, Typed] = {}
        self._form: Typed | None = None
        self._select = self._textarea = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        match tag:
            case "form":
                self._form = self.forms.setdefault(said.get("id") or said.get("action") or "", {})
            case "input":
                self._input(said)
            case "select":
                self._select = said.get("name") or ""
            case "option" if self._select and "selected" in said:
                self._put(self._select, said.get("value"))
            case "textarea":
                self._textarea = said.get("name") or ""
                self._put(self._textarea, "")

    def handle_endtag(self, tag: str) -> None:
        match tag:
            case "form":
                self._form = None
            case "select":
                self._select = ""
            case "textarea":
                self._textarea = ""

    def handle_data(self, data: str) -> None:
        if self._form is not None and self._textarea:
            self._form[self._textarea][-1] += data.removeprefix("\n")

    def _input(self, said: Mapping[str, str | None]) -> None:
        kind = said.get("type") or "text"
        if kind in ("submit", "button", "file") or (kind in ("checkbox", "radio") and "checked" not in said):
            return
        self._put(said.get("name") or "", said.get("value", "on" if kind == "checkbox" else ""))

    def _put(self, name: str, value: str | None) -> None:
        if self._form is not None and name not in ("", "csrfmiddlewaretoken"):
            self._form.setdefault(name, []).append(value or "")


def forms(answer: "Answer") -> dict[str, Typed]:
    parser = _Forms()
    parser.feed(answer.content.decode())
    return parser.forms


def as_shown(client: Client, address: str, form: str, **typed: Any) -> Typed:
    """The page's form with what is typed over what it shows."""
    return forms(client.get(address))[form] | typed


def said(answer: "Answer") -> list[str]:
    """The messages that the page after the redirect begins with."""
    return [str(message) for message in get_messages(answer.wsgi_request)]
