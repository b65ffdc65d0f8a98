"""Actions and jobs in words for people: what, why, from what to what. Pure."""

from collections.abc import Mapping
from typing import Any, Protocol

from provisioning.actions import Kind, Situation
from provisioning.differences import Change
from provisioning.safety import Code

SITUATIONS: Mapping[str, str] = {
    Situation.JOINER: "Joiner",
    Situation.MOVER: "Mover",
    Situation.DRIFT: "Drift",
    Situation.LEAVER: "Leaver",
    Situation.INVITE_CHANGED: "Invite changed",
    Situation.INVITE_EXPIRED: "Invite expired",
    Situation.ORPHAN: "Orphan",
    Situation.AMBIGUOUS: "Ambiguous",
    Situation.ACCEPTED_ELSEWHERE: "Accepted elsewhere",
    Situation.PROTECTED: "Protected",
    Situation.IGNORED: "Ignored",
    Situation.MANAGED_ELSEWHERE: "Managed elsewhere",
    Situation.SERVICE_ACCOUNT: "Service account",
    Situation.OUTSIDE_DOMAINS: "Outside the domains",
    Situation.NO_ADDRESS: "No address",
    Situation.RULE_PROBLEM: "Rule problem",
    Situation.MISSING: "Missing",
    Situation.RESTORED: "Restored",
    Situation.LEFT_BEHIND: "Left behind",
}

KINDS: Mapping[str, str] = {
    Kind.INVITE: "Invite",
    Kind.WITHDRAW_INVITE: "Withdraw invite",
    Kind.CHANGE_ROLE: "Change role",
    Kind.REMOVE: "Remove",
    Kind.GRANT: "Grant",
    Kind.CHANGE_GRANT: "Change grant",
    Kind.REVOKE: "Revoke",
    Kind.REVOKE_KEY: "Revoke key",
    Kind.CREATE: "Create",
    Kind.REPORT: "Report",
}

WHAT: Mapping[str, str] = {
    Kind.WITHDRAW_INVITE: "Withdraw the invite",
    Kind.REMOVE: "Remove from the organization",
    Kind.REPORT: "Nothing is done",
}
"""What an action does, where its kind says it all."""

WHY: Mapping[str, str] = {
    Situation.JOINER: "has access by the rules, and no account yet",
    Situation.MOVER: "the directory or the rules changed",
    Situation.DRIFT: "the account is not as Cakewalk left it, or was never in step",
    Situation.LEAVER: "is no longer entitled to access",
    Situation.INVITE_CHANGED: "the open invite no longer says what the rules give",
    Situation.INVITE_EXPIRED: "the invite lapsed before it was accepted",
    Situation.ACCEPTED_ELSEWHERE: "an invite was accepted, and nobody joined under its address",
    Situation.RULE_PROBLEM: "a rule names something that cannot be managed",
    Situation.MISSING: "a rule names it, and it is not there",
    Situation.LEFT_BEHIND: "found after a removal",
}


CAUSED: Mapping[str, str] = {Situation.JOINER: "Removed by", Situation.ORPHAN: "Added by"}

HOLDS: Mapping[str, str] = {
    Code.FIRST_REMOVALS: "First removals",
    Code.REMOVAL_LIMIT: "Limit of takings",
    Code.ACCOUNTS_VANISHED: "Vanished accounts",
    Code.RESTORE: "Restore",
}


CHANGES: Mapping[str, str] = {
    Change.APPEARED: "Appeared",
    Change.ACCEPTED: "Invite accepted",
    Change.LAPSED: "Invite lapsed",
    Change.VANISHED: "Vanished",
    Change.ROLE: "Role",
    Change.GRANTS: "Grants",
    Change.ADDRESS: "Address",
}

NOT_RESTORED = (
    "The keys of who was removed stay dead; they must make new ones.",
    "Who was removed, or whose invite was withdrawn, is invited again, and has nothing until that invite is "
    "accepted.",
    "What an invite cannot carry, groups for example, comes back when the same job is restored once more "
    "after that.",
)
"""What a restore cannot bring back, or not at once."""


class Told(Protocol):
    """The parts of an action that wording looks at."""

    kind: str
    situation: str
    role: str | None
    entitlement: Any
    holder: Any
    before: Any
    after: Any
    new_account_id: str | None


def situation(code: str) -> str:
    return SITUATIONS.get(code) or code.replace("_", " ").capitalize()


def kind(code: str) -> str:
    return KINDS.get(code) or code.replace("_", " ").capitalize()


def hold(code: str) -> str:
    return HOLDS.get(code) or code.replace("_", " ").capitalize()


def why(code: str) -> str:
    """The situation as the rest of a sentence; empty where its name says it all."""
    return WHY.get(code, "")


def caused(code: str) -> str:
    """How a sentence begins that names who made an action necessary."""
    return CAUSED.get(code, "Changed by")


def what(action: Told) -> str:
    """One decision as a short sentence without its subject."""
    before, after = action.before or {}, action.after or {}
    match action.kind:
        case Kind.INVITE:
            return f"Invite as {action.role}"
        case Kind.CHANGE_ROLE:
            return f"Change the role from {before.get('role') or 'none'} to {action.role}"
        case Kind.GRANT if action.holder:
            return f"Give {_named(action.entitlement)}"
        case Kind.GRANT:
            return f"Give {_named(action.entitlement)} as {action.role}"
        case Kind.CHANGE_GRANT:
            return f"Change {_named(action.entitlement)} from {before.get('role')} to {after.get('role')}"
        case Kind.REVOKE:
            return f"Take away {_named(action.entitlement)}"
        case Kind.REVOKE_KEY:
            return f"Revoke {_named(action.entitlement)}"
        case Kind.CREATE:
            return f"Create {_named(action.entitlement)}"
    return WHAT.get(action.kind) or kind(action.kind)


def _named(entitlement: Mapping[str, str] | None) -> str:
    if not entitlement:
        return "a grant"
    return f"the {entitlement.get('kind', 'grant')} {entitlement.get('name') or entitlement.get('id')}"


def left_off(*, planned: int, done: int, skipped: int, under_way: int) -> str:
    """How far a stopped job came: `3 of 12 actions were done before and stay done; 9 are skipped.`"""
    parts = ["Nothing was done before"]
    if done:
        verbs = "was done before and stays" if done == 1 else "were done before and stay"
        parts = [f"{done} of {_actions(planned)} {verbs} done"]
    if skipped:
        subject = str(skipped) if done else _actions(skipped)
        parts.append(f"{subject} {'is' if skipped == 1 else 'are'} skipped")
    if under_way:
        verbs = "is under way: its outcome is" if under_way == 1 else "are under way: their outcome is"
        parts.append(f"{under_way} {verbs} written down when the reply comes, or found by the next sync")
    return f"{'; '.join(parts)}."


def _actions(number: int) -> str:
    return f"{number} action{'' if number == 1 else 's'}"


def picture(state: Mapping[str, Any] | None) -> str:
    """A `before` or `after` on one line: `invited, reader, Search (member)`."""
    if not state:
        return ""
    words = [str(state[name]) for name in ("state", "role", "key", "place") if state.get(name)]
    for held in (value for name, value in state.items() if isinstance(value, list) and name != "state"):
        words += [f"{grant['name']} ({grant['role']})" for grant in held]
    return ", ".join(words)


def after(action: Told) -> str:
    """What it leaves behind; of what was made, its id."""
    return picture(action.after) or (action.kind == Kind.CREATE and action.new_account_id) or ""


def group_roles(held: Mapping[str, list[str]] | None) -> str:
    """Of a place by the groups, or of a group by the places; empty where that was not read."""
    return ", ".join(f"{name} ({', '.join(roles)})" for name, roles in sorted((held or {}).items()))


def grants(held: list[Mapping[str, str]], names: Mapping[tuple[str, str], str]) -> str:
    """By the names that the remote gives; by id where none is known."""
    return ", ".join(
        f"{grant['kind']} {names.get((grant['kind'], grant['id']), grant['id'])} ({grant['role']})"
        for grant in held
    )
