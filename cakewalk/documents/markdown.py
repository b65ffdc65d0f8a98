"""Markdown in sections, as HTML and as plain text. Pure: what a link leads to is the caller's to say."""

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from cakewalk.documents.anchors import slug

COMMENT = re.compile(r"^<!--.*?-->$", re.DOTALL | re.MULTILINE)
"""Marks for the commands that write parts of a page; nobody reads them."""

Link = Callable[[str], str | None]
"""Where a link leads, as an address for `href`; None where there is nothing to read."""
Picture = Callable[[str, str], str]
"""The HTML of a picture, by what the source names and its text alternative."""


class Renderer(RendererHTML):
    """As CommonMark has it, with the caller's links and pictures. What may be too wide scrolls by itself."""

    def link_open(
        self, tokens: Sequence[Token], index: int, options: Mapping[str, Any], env: MutableMapping[str, Any]
    ) -> str:
        leads_to = env["link"](str(tokens[index].attrs["href"]))
        if leads_to is None:
            return "<a>"
        elsewhere = ' target="_blank" rel="noopener noreferrer"' if is_elsewhere(leads_to) else ""
        return f'<a href="{escape(leads_to)}"{elsewhere}>'

    def image(
        self, tokens: Sequence[Token], index: int, options: Mapping[str, Any], env: MutableMapping[str, Any]
    ) -> str:
        token = tokens[index]
        picture: str = env["picture"](str(token.attrs["src"]), _words(token.children or []))
        return picture

    def code_inline(
        self, tokens: Sequence[Token], index: int, options: Mapping[str, Any], env: MutableMapping[str, Any]
    ) -> str:
        """A long address or name may be broken where its parts end, as a cell is narrow."""
        breakable = re.sub(r"[/_]", r"\g<0><wbr>", escape(tokens[index].content))
        return f"<code>{breakable}</code>"

    def th_open(
        self, tokens: Sequence[Token], index: int, options: Mapping[str, Any], env: MutableMapping[str, Any]
    ) -> str:
        """A corner with nothing in it is no heading."""
        return "<th>" if tokens[index + 1].content else "<td>"

    def th_close(
        self, tokens: Sequence[Token], index: int, options: Mapping[str, Any], env: MutableMapping[str, Any]
    ) -> str:
        return "</th>\n" if tokens[index - 1].content else "</td>\n"

    def table_open(self, *_: object) -> str:
        return '<div class="scrolls" tabindex="0"><table>\n'

    def table_close(self, *_: object) -> str:
        return "</table></div>\n"


READER = MarkdownIt("commonmark", {"html": False}, renderer_cls=Renderer).enable("table")


@dataclass(frozen=True)
class Section:
    """A heading with what stands below it, up to the next heading of whatever level."""

    level: int
    path: tuple[str, ...]
    anchor: str
    heading: Sequence[Token]
    body: Sequence[Token]

    @property
    def title(self) -> str:
        return self.path[-1]


def is_elsewhere(target: str) -> bool:
    return target.startswith(("https://", "http://"))


def sections(text: str) -> list[Section]:
    """In the order of the page. A document begins with its title."""
    tokens = READER.parse(COMMENT.sub("", text))
    starts = [at for at, token in enumerate(tokens) if token.type == "heading_open" and not token.level]
    if not starts or starts[0]:
        raise ValueError("A document begins with its title: # and a word.")
    found: list[Section] = []
    above: list[tuple[int, str]] = []
    anchors: set[str] = set()
    for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
        level, heading = int(tokens[start].tag[1]), tokens[start + 1]
        title = _words(heading.children or [])
        above = [*(upper for upper in above if upper[0] < level), (level, title)]
        anchor = _unused(slug(title), anchors)
        path = tuple(name for _, name in above)
        found.append(Section(level, path, anchor, [heading], tokens[start + 3 : end]))
    return found


def _unused(anchor: str, used: set[str]) -> str:
    free, number = anchor, 0
    while free in used:
        number += 1
        free = f"{anchor}-{number}"
    used.add(free)
    return free


def html(tokens: Sequence[Token], link: Link, picture: Picture) -> str:
    rendered: str = READER.renderer.render(tokens, READER.options, {"link": link, "picture": picture})
    return rendered


def plain(tokens: Sequence[Token]) -> str:
    """The words alone: a line for each paragraph and for each row of a table."""
    lines: list[str] = []
    cells: list[str] = []
    in_row = False
    for token in tokens:
        match token.type:
            case "tr_open":
                in_row, cells = True, []
            case "tr_close":
                in_row = False
                lines.append(" · ".join(cells))
            case "inline":
                (cells if in_row else lines).append(_words(token.children or []))
            case "fence" | "code_block":
                lines.append(token.content.rstrip())
    return "\n".join(line for line in lines if line)


def _words(children: Sequence[Token]) -> str:
    """Without pictures, which are described for those who do not see them."""
    breaks = {"softbreak": " ", "hardbreak": " ", "image": ""}
    return "".join(breaks.get(child.type, child.content) for child in children)


def targets(tokens: Sequence[Token]) -> Iterator[str]:
    """What links and pictures name."""
    for token in tokens:
        yield from targets(token.children or [])
        named = token.attrs.get("href") or token.attrs.get("src")
        if named:
            yield str(named)


def pictures(tokens: Sequence[Token]) -> Iterator[tuple[str, str]]:
    """What each picture names, and its text alternative."""
    for token in tokens:
        if token.type == "image":
            yield str(token.attrs["src"]), _words(token.children or [])
        else:
            yield from pictures(token.children or [])
