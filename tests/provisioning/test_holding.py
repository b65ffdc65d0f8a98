"""What somebody held at a moment is told by the actions up to then."""

from types import SimpleNamespace
from typing import Any

from provisioning.search.holding import held_after

SEARCH, VOICE = ({"kind": "project", "id": name, "name": name} for name in ("Search", "Voice"))
AS_FOUND = {"state": "active", "role": "owner", "projects": [{"name": "Voice", "role": "owner"}]}


def did(kind: str, **said: Any) -> Any:
    return SimpleNamespace(
        **{"kind": kind, "role": None, "entitlement": None, "before": None, "after": None} | said
    )


INVITE = did(
    "invite", role="reader", after={"role": "reader", "projects": [{"name": "Search", "role": "member"}]}
)
GRANT = did("grant", entitlement=VOICE, after={"role": "member"})
RAISE = did("change_grant", entitlement=SEARCH, before={"role": "member"}, after={"role": "owner"})
REVOKE = did("revoke", entitlement=SEARCH, before={"role": "owner"})
CHANGE_ROLE = did("change_role", role="owner", before={"role": "reader"}, after={"role": "owner"})
REMOVE = did("remove", before=AS_FOUND)
FOUND = did("report", before=AS_FOUND)


def test_each_action_gives_or_takes_its_part() -> None:
    steps = [INVITE, GRANT, RAISE, CHANGE_ROLE, REVOKE]
    told = [str(held_after(steps[: number + 1])) for number in range(len(steps))]
    assert told == [
        "reader, Search (member)",
        "reader, Search (member), Voice (member)",
        "reader, Search (owner), Voice (member)",
        "owner, Search (owner), Voice (member)",
        "owner, Voice (member)",
    ]
    held = held_after(steps)
    assert held.by is REVOKE


def test_how_an_account_was_found_goes_before_what_was_known() -> None:
    assert str(held_after([INVITE, FOUND])) == "owner, Voice (owner)"
    assert str(held_after([INVITE, FOUND, RAISE])) == "owner, Search (owner), Voice (owner)"


def test_who_was_removed_holds_nothing_and_of_whom_nothing_is_told_is_not_known() -> None:
    removed = held_after([INVITE, REMOVE])
    assert (removed.role, removed.grants) == (None, {})
    assert held_after([]) is None
    assert held_after([did("report")]) is None
    assert str(held_after([REMOVE, INVITE])) == "reader, Search (member)"
