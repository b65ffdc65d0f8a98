"""Pages of the lists that can be long, read at the speed of C where nothing in them is unusual. Pure.

What each row must be is said by types, and msgspec holds the JSON against them while it reads it. A page
with anything else in it is left to `parsing`, which bears with more and says what is wrong with the rest. So
this may refuse what that takes, but never take what that refuses, nor understand it otherwise.
"""

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Generic, Literal, TypeVar

from msgspec import DecodeError, Meta, Struct
from msgspec.json import Decoder

from integrations.connectors.base import Account, AccountState
from integrations.connectors.openai.parsing import MEMBER, USUAL_ID, Holder, Page

Id = Annotated[str, Meta(pattern=rf"\A{USUAL_ID.pattern}\Z")]
Text = Annotated[str, Meta(min_length=1)]
Seconds = Annotated[int, Meta(ge=0, le=253_402_300_799)]
"""Of Unix time, to the end of the year 9999."""
UNSOUND = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""A NUL, and each half of a surrogate pair, as JSON escapes them."""


class Row(Struct, gc=False):
    id: Id


class Told(Struct, gc=False):
    """What a row may tell itself or in `user`."""

    email: str | None = None
    role: str | None = None
    name: str | None = None


class User(Row, gc=False):
    object: Literal["organization.user", "user"] | None = None
    email: str | None = None
    role: str | None = None
    name: str | None = None
    user: Told | None = None
    is_scim_managed: bool | None = None
    is_service_account: bool | None = None
    added_at: Seconds | None = None
    created: Seconds | None = None


class ProjectUser(Row, gc=False):
    role: Text
    object: Literal["organization.project.user"] | None = None


class GroupUser(Row, gc=False):
    object: Literal["group.user", "organization.group.user", "organization.user", "user"] | None = None


AnyRow = TypeVar("AnyRow", bound=Row)
Value = TypeVar("Value")


class Body(Struct, Generic[AnyRow], gc=False):
    data: list[AnyRow]
    has_more: bool
    first_id: str | None = None
    last_id: str | None = None
    next: str | None = None
    error: None = None


@dataclass(frozen=True, slots=True)
class Found(Generic[Value]):
    """A page, the ids of its rows, and how to make their values."""

    page: Page
    ids: Sequence[str]
    values: Callable[[], list[Value]]


class Reader(Generic[AnyRow, Value]):
    """Of the pages of one kind of list. `value`: what becomes of a row; the id is the text that is kept."""

    def __init__(self, decoder: "Decoder[Body[AnyRow]]", value: Callable[[AnyRow, str], Value]) -> None:
        self._decode = decoder.decode
        self.value = value

    def read(self, body: bytes) -> Found[Value] | None:
        """None where something is unusual."""
        try:
            found = self._decode(body)
        except (DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if UNSOUND.search(body) or (found.next and not found.has_more):
            return None
        rows, ids = found.data, [sys.intern(row.id) for row in found.data]
        first, last = found.first_id or None, found.last_id or None
        page = Page((), found.has_more, found.next or last, first, last)
        return Found(page, ids, lambda: list(map(self.value, rows, ids)))


def _member(row: User, id: str) -> Account:
    told = row.user or NOTHING
    email, role = row.email or told.email, row.role or told.role
    since = row.created if row.added_at is None else row.added_at
    return Account(
        id,
        AccountState.ACTIVE,
        sys.intern(email) if email else None,
        sys.intern(role) if role else None,
        row.name or told.name or None,
        managed_elsewhere=bool(row.is_scim_managed),
        is_service=bool(row.is_service_account),
        since=None if since is None else datetime.fromtimestamp(since, UTC),
    )


def _holder(row: ProjectUser, id: str) -> Holder:
    return Holder(id, sys.intern(row.role))


NOTHING = Told()
USERS = Reader(Decoder(Body[User]), _member)
PROJECT_USERS = Reader(Decoder(Body[ProjectUser]), _holder)
GROUP_USERS = Reader(Decoder(Body[GroupUser]), lambda _, id: Holder(id, MEMBER))
