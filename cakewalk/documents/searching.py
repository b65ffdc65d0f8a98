"""Full-text search over passages of documents: words in, passages out. No grammar, no language model."""

import re
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MOST_WORDS = 24
"""Of a question; nobody asks for more at once, and a robot need not."""
WHOLE = 1200
"""Characters of a passage that is shown whole."""
BEGINNING = 5
"""Characters of a word from which on it also finds what begins with it: `postgres` the word PostgreSQL."""
BEGIN, END = "\x02", "\x03"
ASKING = frozenset(
    re.findall(
        r"\w+",
        """a about am an and are as at be been but by can cannot could did do does doesn for from had has
        have how i if in into is isn it its me my no not of on or our s should so t that the their them then
        there these they this those to us was we were what when where which who whom whose why will with
        would you your""",
    )
)
"""Words that make a question and say nothing of what it is about."""


@dataclass(frozen=True)
class Passage:
    """One section of a document, which stands at `address`."""

    address: str
    anchor: str
    path: tuple[str, ...]
    text: str


@dataclass(frozen=True)
class Found:
    """A passage, with the part of its text to show: pieces, and whether each is a word that was asked for."""

    passage: Passage
    pieces: tuple[tuple[str, bool], ...]


def words(question: str) -> list[str]:
    """What a question is about: its words without those that every question has, each once."""
    found = dict.fromkeys(match.group().lower() for match in re.finditer(r"\w+", question))
    telling = [word for word in found if word not in ASKING]
    return (telling or list(found))[:MOST_WORDS]


class Index:
    """Passages in a table in memory. Every word is quoted, so nothing that is asked is a query's syntax."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages
        self._lock = threading.Lock()
        self._table = sqlite3.connect(":memory:", check_same_thread=False)
        self._table.execute(
            "CREATE VIRTUAL TABLE passage"
            " USING fts5(path, text, tokenize='porter unicode61 remove_diacritics 2 tokenchars _')"
        )
        rows = [(" ".join(passage.path), passage.text) for passage in passages]
        self._table.executemany("INSERT INTO passage (path, text) VALUES (?, ?)", rows)

    def search(self, question: str, limit: int) -> list[Found]:
        """Those with all the words, then those with some, the best first; of a section its best part."""
        asked = [f'"{word}"*' if len(word) >= BEGINNING else f'"{word}"' for word in words(question)]
        found: dict[tuple[str, str], Found] = {}
        for operator in (" AND ", " OR ") if asked else ():
            for row, text in self._matching(operator.join(asked), limit * 4):
                passage = self._passages[row - 1]
                found.setdefault((passage.address, passage.anchor), Found(passage, tuple(_pieces(text))))
        return list(found.values())[:limit]

    def _matching(self, query: str, limit: int) -> list[tuple[int, str]]:
        """Rows, and texts with marks. A word in a heading counts more; a long text is cut around matches."""
        rows = (
            "SELECT rowid, CASE WHEN length(text) <= ? THEN highlight(passage, 1, ?, ?)"
            " ELSE snippet(passage, 1, ?, ?, ' … ', 64) END"
            " FROM passage WHERE passage MATCH ? ORDER BY bm25(passage, 3.0, 1.0), rowid LIMIT ?"
        )
        with self._lock:
            return self._table.execute(rows, (WHOLE, BEGIN, END, BEGIN, END, query, limit)).fetchall()


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    for number, piece in enumerate(re.split(f"[{BEGIN}{END}]", text)):
        if piece:
            yield piece, number % 2 == 1
