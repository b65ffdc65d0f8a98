"""What is under way, for all that is logged meanwhile: a request, the task that it asked for, a job. Pure."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Facts = Mapping[str, object]

_around: ContextVar[Facts] = ContextVar("around", default={})  # noqa: B039 - nobody changes it


def current() -> Facts:
    return _around.get()


@contextmanager
def around(**facts: object) -> Iterator[None]:
    """Each line logged within carries these facts, besides those of what it is within."""
    token = _around.set({**_around.get(), **{name: fact for name, fact in facts.items() if fact}})
    try:
        yield
    finally:
        _around.reset(token)


def new_id() -> str:
    return secrets.token_hex(16)


def id_of_a_call() -> str:
    """For a call to a remote: of its own, and beginning with that of the request or task it is made for."""
    facts = current()
    return f"{facts.get('request') or facts.get('task_id') or new_id()}.{secrets.token_hex(4)}"
