"""Who acts: a person at a page, a source that tells of people, somebody at a terminal, or the schedule."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from getpass import getuser
from typing import TYPE_CHECKING

from django.http import HttpRequest, HttpResponseBase

if TYPE_CHECKING:
    from cakewalk.models import User


class Kind(StrEnum):
    PERSON = "person"
    SCHEDULE = "schedule"
    SOURCE = "source"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Actor:
    """`address`: the network address that a request came from, empty where there was none."""

    kind: Kind
    name: str = ""
    address: str = ""


SCHEDULE = Actor(Kind.SCHEDULE, "Cakewalk")

_acting: ContextVar[Callable[[], Actor] | None] = ContextVar("acting", default=None)


def current() -> Actor:
    """Workers and the clock say nothing of themselves."""
    found = _acting.get()
    return found() if found else SCHEDULE


def person(user: "User | None") -> Actor:
    """A user by name, at the address of the request if it is theirs; without one, whoever acts."""
    now = current()
    if user is None or (now.kind is Kind.PERSON and now.name == user.get_username()):
        return now
    return Actor(Kind.PERSON, user.get_username(), now.address)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    token = _acting.set(lambda: actor)
    try:
        yield
    finally:
        _acting.reset(token)


def at_the_terminal() -> Actor:
    """Whoever runs a command, as the machine knows them."""
    try:
        return Actor(Kind.COMMAND, getuser())
    except (KeyError, OSError):  # a container's user may have no name
        return Actor(Kind.COMMAND)


def for_the_requester(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """A middleware. Who is signed in is asked for when something is written down, for it may cost a query."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        def who() -> Actor:
            address = request.META.get("REMOTE_ADDR", "")
            user = getattr(request, "user", None)
            return Actor(Kind.PERSON, user.get_username() if user else "", address)

        token = _acting.set(who)
        try:
            return get_response(request)
        finally:
            _acting.reset(token)

    return answer
