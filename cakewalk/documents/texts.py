"""What we write in Markdown ourselves, for assistants: the list of all documents, and answers."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from django.urls import reverse

from cakewalk.documents.addresses import page_of
from cakewalk.documents.library import Document
from cakewalk.documents.searching import Found

LONGEST_ECHO = 200
SHELVES = {"guides": "Guides", "docs": "Docs", "decisions": "Optional"}
"""Optional is llmstxt.org's own word for what may be left out."""
SUMMARY = (
    "Cakewalk keeps the members of an OpenAI organization in step with a directory: joiners are invited, "
    "movers changed, leavers removed. Every change is planned, checked, recorded, and looked at again."
)
HOW_TO_ASK = (
    "Each address below is Markdown; without `.md` it is a page for people. With `?ask=` and a question each "
    "of them answers with the passages of all these documents that match, and where they stand, as does"
)
NOTHING = (
    "Nothing in the documentation matches. Ask with fewer words, or with those that the pages use: sync, "
    "preview, joiner, leaver, access rule, Admin key. All pages are listed at"
)


def llms_txt(shelves: Mapping[str, Sequence[Document]], whole: Callable[[str], str]) -> str:
    """The form is that of https://llmstxt.org."""
    example = f"{whole(page_of('integrations', source=True))}?ask=why+is+my+project+key+refused"
    lines = ["# Cakewalk", "", f"> {SUMMARY}", "", f"{HOW_TO_ASK} <{example}>."]
    for shelf, heading in SHELVES.items():
        if shelves[shelf]:
            lines += ["", f"## {heading}", ""]
            lines += [_entry(document, whole) for document in shelves[shelf]]
    return "\n".join(lines) + "\n"


def _entry(document: Document, whole: Callable[[str], str]) -> str:
    return (
        f"- [{_as_text(document.title)}]({whole(page_of(document.address, source=True))}): {document.summary}"
    )


def answers(question: str, found: Sequence[Found]) -> str:
    title = f"# Answers: {_as_text(question[:LONGEST_ECHO])}"
    if not found:
        return f"{title}\n\n{NOTHING} [/llms.txt]({reverse('llms_txt')}).\n"
    said = "Passages of the documentation, the best first, found by their words."
    return "\n".join([title, "", said, "", *(line for one in found for line in _answer(one))])


def _answer(found: Found) -> Iterator[str]:
    passage = found.passage
    path = " / ".join(_as_text(name) for name in passage.path)
    yield f"## [{path}]({page_of(passage.address, passage.anchor, source=True)})"
    yield ""
    for line in "".join(text for text, _ in found.pieces).split("\n"):
        yield f"> {_as_text(line)}"
        yield ">"
    yield ""


def _as_text(text: str) -> str:
    """So that nothing in it is taken for Markdown."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)
