"""What an account held at a moment, as the actions up to then tell of it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from provisioning.actions import Kind

TAKES_ALL = (Kind.REMOVE, Kind.WITHDRAW_INVITE)
GIVES = (Kind.GRANT, Kind.CHANGE_GRANT)


class Told(Protocol):
    """The parts of an action that are looked at."""

    kind: str
    role: str | None
    entitlement: Any
    before: Any
    after: Any


@dataclass(slots=True)
class Holding:
    """`role`: None where nothing is held. `by`: the action that made it so, or that saw it."""

    role: str | None
    grants: dict[str, str] = field(default_factory=dict)
    by: Any = None

    def __str__(self) -> str:
        grants = (f"{name} ({role})" for name, role in sorted(self.grants.items()))
        return ", ".join(filter(None, [self.role, *grants]))


def held_after(actions: Iterable[Told]) -> Holding | None:
    """`actions`: of one account, in the order in which they were done. None where they tell of nothing.

    How an account was found goes before what was known of it: others may have changed it in between.
    """
    held: Holding | None = None
    for action in actions:
        if seen := _seen(action.before):
            held = seen
            held.by = action
        held = _done(held, action)
    return held


def _seen(before: Mapping[str, Any] | None) -> Holding | None:
    """A whole account as a read found it; less is no picture of all."""
    return _picture(before) if before and "state" in before else None


def _picture(shown: Mapping[str, Any]) -> Holding:
    lines = (line for held in shown.values() if isinstance(held, list) for line in held)
    return Holding(shown.get("role"), {line["name"]: line["role"] for line in lines})


def _done(held: Holding | None, action: Told) -> Holding | None:
    match action.kind:
        case Kind.INVITE:
            held = _picture(action.after or {"role": action.role})
        case kind if kind in TAKES_ALL:
            held = Holding(None)
        case Kind.CHANGE_ROLE:
            held = Holding(action.role, held.grants if held else {})
        case kind if kind in GIVES:
            held = _with(held, action.entitlement, (action.after or {}).get("role") or action.role)
        case Kind.REVOKE:
            held = _with(held, action.entitlement, None)
        case _:
            return held
    held.by = action
    return held


def _with(held: Holding | None, entitlement: Mapping[str, str] | None, role: str | None) -> Holding:
    held = held or Holding("")
    name = (entitlement or {}).get("name", "")
    grants = {other: its for other, its in held.grants.items() if other != name}
    return Holding(held.role or "", {**grants, name: role} if role else grants)
