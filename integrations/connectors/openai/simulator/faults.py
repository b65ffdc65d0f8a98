"""What can go wrong between a client and OpenAI, as data: which request it befalls, and how."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.records import Json

RETRY_AFTER = ("seconds", "date", "ms", "none")


class Kind(StrEnum):
    LATENCY = "latency"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    SERVER_ERROR_AFTER = "server_error_after"
    RESET_BEFORE = "reset_before"
    RESET_AFTER = "reset_after"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    REDIRECT = "redirect"
    TRUNCATED = "truncated"
    HTML = "html"
    DRIP = "drip"
    EMPTY = "empty"
    EMPTY_WITH_MORE = "empty_with_more"
    ENDS_EARLY = "ends_early"
    REPEATED_CURSOR = "repeated_cursor"
    DUPLICATE_ROW = "duplicate_row"
    MISSING_ROW = "missing_row"
    UNKNOWN_ROLE = "unknown_role"
    NULL_EMAIL = "null_email"
    NESTED_USER = "nested_user"


class BadFault(ValueError):
    """A fault that cannot be understood. The message names the entry."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Befalls the `nth` request that matches, or `every` one.

    `path` is a pattern such as `/organization/users*`. `seconds` is how long latency and drip take, and what
    a rate limit asks for, in the form `retry_after` names. `status` is that of a server error. `email` picks
    the row that is spoiled, where it is not the first one of the page.
    """

    kind: Kind
    method: str = "*"
    path: str = "*"
    nth: int = 1
    every: bool = False
    seconds: float = 1.0
    retry_after: str = "seconds"
    status: int = 500
    email: str = ""
    location: str = "https://elsewhere.example.org"

    def __post_init__(self) -> None:
        if self.retry_after not in RETRY_AFTER:
            raise BadFault(f"retry_after is {self.retry_after!r}; it can be {', '.join(RETRY_AFTER)}")
        if self.nth < 1:
            raise BadFault(f"nth is {self.nth}; requests are counted from 1")
        if not 500 <= self.status <= 599:
            raise BadFault(f"status is {self.status}; a server error has 500 to 599")

    def matches(self, asked: Asked) -> bool:
        return fnmatchcase(asked.method, self.method.upper()) and (
            fnmatchcase(asked.path, self.path) or fnmatchcase(asked.path, f"/v1{self.path}")
        )


FIELD_TYPES: Mapping[str, tuple[type, ...]] = {
    "kind": (str,),
    "method": (str,),
    "path": (str,),
    "nth": (int,),
    "every": (bool,),
    "seconds": (int, float),
    "retry_after": (str,),
    "status": (int,),
    "email": (str,),
    "location": (str,),
}


class Faults:
    """Faults waiting for their request, and those that have fired."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._waiting: list[Fault] = []
        self._matched: list[int] = []
        self.fired: list[Fault] = []
        for fault in faults:
            self.inject(fault)

    def inject(self, fault: Fault) -> None:
        self._waiting.append(fault)
        self._matched.append(0)

    def due(self, asked: Asked) -> list[Fault]:
        """The faults that befall this request, which now count as fired."""
        due = []
        for place, fault in enumerate(self._waiting):
            if fault.matches(asked):
                self._matched[place] += 1
                if fault.every or self._matched[place] == fault.nth:
                    due.append(fault)
        self.fired += due
        return due


def load_faults(path: Path) -> list[Fault]:
    """The faults of a JSON file, an array of objects; raises BadFault naming the file and the entry."""
    try:
        entries = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise BadFault(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(entries, list):
        raise BadFault(f"{path} must hold a JSON array of faults.")
    return [_fault(entry, f"{path}, entry {number}") for number, entry in enumerate(entries, start=1)]


def _fault(entry: Any, place: str) -> Fault:
    if not isinstance(entry, dict) or "kind" not in entry:
        raise BadFault(f"{place}: a fault is an object with a kind.")
    for name, value in entry.items():
        _check_field(name, value, place)
    if entry["kind"] not in list(Kind):
        raise BadFault(f"{place}: there is no kind {entry['kind']!r}; there are {', '.join(Kind)}.")
    try:
        return Fault(**entry | {"kind": Kind(entry["kind"])})
    except BadFault as error:
        raise BadFault(f"{place}: {error}.") from error


def _check_field(name: str, value: Any, place: str) -> None:
    if name not in FIELD_TYPES:
        raise BadFault(f"{place}: there is no field {name!r}; there are {', '.join(FIELD_TYPES)}.")
    if type(value) not in FIELD_TYPES[name]:
        raise BadFault(f"{place}: {name} is {value!r}, which is of the wrong type.")


# Answers given in place of the real one, before anything takes effect


@dataclass(frozen=True, slots=True)
class Instead:
    status: int
    message: str
    headers: Mapping[str, str]
    code: str | None = None


def instead_of_answer(fault: Fault, asked: Asked) -> Instead | None:
    match fault.kind:
        case Kind.RATE_LIMITED:
            return Instead(
                429, "Rate limit reached. Please slow down.", _retry_after(fault), "rate_limit_exceeded"
            )
        case Kind.SERVER_ERROR:
            return Instead(fault.status, "The server had an error while processing your request.", {})
        case Kind.UNAUTHORIZED:
            return Instead(401, "Incorrect API key provided.", {}, "invalid_api_key")
        case Kind.FORBIDDEN:
            return Instead(403, "You have insufficient permissions for this operation.", {})
        case Kind.REDIRECT:
            return Instead(307, "Moved.", {"location": f"{fault.location}{asked.path}"})
    return None


def _retry_after(fault: Fault) -> dict[str, str]:
    if fault.retry_after == "seconds":
        return {"retry-after": f"{fault.seconds:g}"}
    if fault.retry_after == "ms":
        return {"retry-after-ms": f"{fault.seconds * 1000:g}"}
    if fault.retry_after == "date":
        moment = datetime.now(UTC) + timedelta(seconds=fault.seconds)
        return {"retry-after": format_datetime(moment, usegmt=True)}
    return {}


# Answers spoiled on their way


def spoil(fault: Fault, body: Json, asked: Asked) -> None:
    """Changes a right answer in place. A single object counts as a list of one."""
    rows = body["data"] if isinstance(body.get("data"), list) else [body]
    if fault.kind in PAGE_SPOILERS and rows is body.get("data"):
        PAGE_SPOILERS[fault.kind](body, asked)
    elif fault.kind in ROW_SPOILERS:
        chosen = [row for row in rows if not fault.email or row.get("email") == fault.email]
        if chosen:
            ROW_SPOILERS[fault.kind](rows, rows.index(chosen[0]))


def _empty(body: Json, _: Asked) -> None:
    body.update(data=[], has_more=False)
    body.update({name: None for name in ("first_id", "last_id", "next") if name in body})


def _empty_with_more(body: Json, asked: Asked) -> None:
    _empty(body, asked)
    body["has_more"] = True


def _ends_early(body: Json, _: Asked) -> None:
    body["has_more"] = False


def _repeated_cursor(body: Json, asked: Asked) -> None:
    """On the first page, where there is no cursor to repeat, the first row's id leads back into the page."""
    first = body["data"][0] if body["data"] else {}
    cursor = asked.first("after") or first.get("id") or first.get("group_id")
    body.update({"has_more": True, "last_id" if "last_id" in body else "next": cursor})


def _duplicate_row(rows: list[Json], place: int) -> None:
    rows.insert(place + 1, dict(rows[place]))


def _missing_row(rows: list[Json], place: int) -> None:
    del rows[place]


def _unknown_role(rows: list[Json], place: int) -> None:
    rows[place]["role"] = "galactic_emperor"


def _null_email(rows: list[Json], place: int) -> None:
    rows[place]["email"] = None
    if isinstance(rows[place].get("user"), dict):
        rows[place]["user"]["email"] = None


def _nested_user(rows: list[Json], _: int) -> None:
    """The shape that OpenAI sent by accident from 2 to 4 December 2025."""
    for row in rows:
        person = {name: row.pop(name, None) for name in ("id", "email", "name")}
        row["user"] = {"object": "user", **person}
        row["created"] = row.pop("added_at", None)


PAGE_SPOILERS: Mapping[Kind, Callable[[Json, Asked], None]] = {
    Kind.EMPTY: _empty,
    Kind.EMPTY_WITH_MORE: _empty_with_more,
    Kind.ENDS_EARLY: _ends_early,
    Kind.REPEATED_CURSOR: _repeated_cursor,
}
ROW_SPOILERS: Mapping[Kind, Callable[[list[Json], int], None]] = {
    Kind.DUPLICATE_ROW: _duplicate_row,
    Kind.MISSING_ROW: _missing_row,
    Kind.UNKNOWN_ROLE: _unknown_role,
    Kind.NULL_EMAIL: _null_email,
    Kind.NESTED_USER: _nested_user,
}
