"""Finds a planted secret in whatever was read, also encoded, and also a part of it. Pure."""

import base64
import html
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import quote, quote_plus

PIECE, STEP = 8, 5
"""Any twelve characters in a row hold a whole piece: half of a key that was only masked is found."""


@dataclass(frozen=True)
class Canary:
    """A planted secret. `public`: what it begins with and may be shown, as in `sk-admin-`."""

    name: str
    text: str = field(repr=False)
    public: str = ""

    @cached_property
    def needles(self) -> Sequence[tuple[str, bytes]]:
        """By the name of the form, each once."""
        secret = self.text.removeprefix(self.public)
        found = {piece: form for form, whole in _forms(secret) for piece in _pieces(whole, form)}
        return [(form, piece) for piece, form in found.items()]


def _forms(secret: str) -> Iterator[tuple[str, bytes]]:
    """The plain one last: what looks the same in several is called plain."""
    raw = secret.encode()
    yield "hex", raw.hex().encode()
    yield "HEX", raw.hex().upper().encode()
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + raw)
        inner = whole[4 if shift else 0 : len(whole) - 4]  # the ends hold what stands around it
        yield "base64", inner
        yield "base64", inner.replace(b"+", b"-").replace(b"/", b"_")
    yield "backwards", raw[::-1]
    yield "URL", quote(secret, safe="").encode()
    yield "URL", quote_plus(secret).encode()
    yield "HTML", html.escape(secret).encode()
    yield "JSON", json.dumps(secret)[1:-1].encode()
    yield "plain", raw


def _pieces(whole: bytes, form: str) -> Iterator[bytes]:
    size, step = (2 * PIECE, 2 * STEP) if form in ("hex", "HEX") else (PIECE, STEP)
    for start in range(0, max(1, len(whole) - size + 1), step):
        yield whole[start : start + size]


@dataclass(frozen=True)
class Found:
    """Of a secret, in one place, in one form. `around`: what stands before it."""

    canary: str
    form: str
    place: str
    around: str = ""


def search(canaries: Iterable[Canary], place: str, content: bytes) -> list[Found]:
    """One for each secret and form."""
    found: dict[tuple[str, str], Found] = {}
    for canary in canaries:
        for form, piece in canary.needles:
            if (canary.name, form) not in found and (at := content.find(piece)) >= 0:
                before = content[max(0, at - 60) : at].decode("utf-8", "replace")
                found[canary.name, form] = Found(canary.name, form, place, before)
    return list(found.values())
