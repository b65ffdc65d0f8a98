"""Actions and jobs in words for people: what, why, from what to what. In the language of whoever looks; what
is kept, exported or printed is asked for in English.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cakewalk.words import called
from provisioning.actions import Kind, Situation
from provisioning.differences import Change
from provisioning.lateness import Cause, Stretch
from provisioning.safety import Code

SITUATIONS: Mapping[str, Promise] = {
    Situation.JOINER: gettext_lazy("Joiner"),
    Situation.MOVER: gettext_lazy("Mover"),
    Situation.DRIFT: gettext_lazy("Drift"),
    Situation.LEAVER: gettext_lazy("Leaver"),
    Situation.INVITE_CHANGED: gettext_lazy("Invite changed"),
    Situation.INVITE_EXPIRED: gettext_lazy("Invite expired"),
    Situation.ORPHAN: gettext_lazy("Orphan"),
    Situation.AMBIGUOUS: gettext_lazy("Ambiguous"),
    Situation.ACCEPTED_ELSEWHERE: gettext_lazy("Accepted elsewhere"),
    Situation.PROTECTED: gettext_lazy("Protected"),
    Situation.IGNORED: gettext_lazy("Ignored"),
    Situation.MANAGED_ELSEWHERE: gettext_lazy("Managed elsewhere"),
    Situation.SERVICE_ACCOUNT: gettext_lazy("Service account"),
    Situation.OUTSIDE_DOMAINS: gettext_lazy("Outside the domains"),
    Situation.NO_ADDRESS: gettext_lazy("No address"),
    Situation.RULE_PROBLEM: gettext_lazy("Rule problem"),
    Situation.MISSING: gettext_lazy("Missing"),
    Situation.RESTORED: gettext_lazy("Restored"),
    Situation.REVIEWED: gettext_lazy("Access review"),
    Situation.LEFT_BEHIND: gettext_lazy("Left behind"),
}

KINDS: Mapping[str, Promise] = {
    Kind.INVITE: gettext_lazy("Invite"),
    Kind.WITHDRAW_INVITE: gettext_lazy("Withdraw invite"),
    Kind.CHANGE_ROLE: gettext_lazy("Change role"),
    Kind.REMOVE: gettext_lazy("Remove"),
    Kind.GRANT: gettext_lazy("Grant"),
    Kind.CHANGE_GRANT: gettext_lazy("Change grant"),
    Kind.REVOKE: gettext_lazy("Revoke"),
    Kind.REVOKE_KEY: gettext_lazy("Revoke key"),
    Kind.CREATE: gettext_lazy("Create"),
    Kind.REPORT: gettext_lazy("Report"),
}

WHAT: Mapping[str, Promise] = {
    Kind.WITHDRAW_INVITE: gettext_lazy("Withdraw the invite"),
    Kind.REMOVE: gettext_lazy("Remove from the organization"),
    Kind.REPORT: gettext_lazy("Nothing is done"),
}
"""What an action does, where its kind says it all."""

WHY: Mapping[str, Promise] = {
    Situation.JOINER: gettext_lazy("has access by the rules, and no account yet"),
    Situation.MOVER: gettext_lazy("the directory or the rules changed"),
    Situation.DRIFT: gettext_lazy("the account is not as Cakewalk left it, or was never in step"),
    Situation.LEAVER: gettext_lazy("is no longer entitled to access"),
    Situation.INVITE_CHANGED: gettext_lazy("the open invite no longer says what the rules give"),
    Situation.INVITE_EXPIRED: gettext_lazy("the invite lapsed before it was accepted"),
    Situation.ACCEPTED_ELSEWHERE: gettext_lazy("an invite was accepted, and nobody joined under its address"),
    Situation.RULE_PROBLEM: gettext_lazy("a rule names something that cannot be managed"),
    Situation.MISSING: gettext_lazy("a rule names it, and it is not there"),
    Situation.LEFT_BEHIND: gettext_lazy("found after a removal"),
}


CAUSED: Mapping[str, Promise] = {
    Situation.JOINER: gettext_lazy("Removed by"),
    Situation.ORPHAN: gettext_lazy("Added by"),
}

HOLDS: Mapping[str, Promise] = {
    Code.FIRST_REMOVALS: gettext_lazy("First removals"),
    Code.REMOVAL_LIMIT: gettext_lazy("Limit of takings"),
    Code.ACCOUNTS_VANISHED: gettext_lazy("Vanished accounts"),
    Code.RESTORE: gettext_lazy("Restore"),
    Code.ACCESS_REVIEW: gettext_lazy("Access review"),
}


CHANGES: Mapping[str, Promise] = {
    Change.APPEARED: gettext_lazy("Appeared"),
    Change.ACCEPTED: gettext_lazy("Invite accepted"),
    Change.LAPSED: gettext_lazy("Invite lapsed"),
    Change.VANISHED: gettext_lazy("Vanished"),
    Change.ROLE: gettext_lazy("Role"),
    Change.GRANTS: gettext_lazy("Grants"),
    Change.ADDRESS: gettext_lazy("Address"),
}

LATE: Mapping[str, Promise] = {
    Cause.SOURCE_LATE: gettext_lazy("Its source told late"),
    Cause.DISABLED: gettext_lazy("The integration was disabled"),
    Cause.PAUSED: gettext_lazy("Paused, because its key was rejected"),
    Cause.JOB_FAILED: gettext_lazy("No job came to a plan"),
    Cause.NO_SYNC: gettext_lazy("No sync in time"),
    Cause.MODE: gettext_lazy("The mode took nothing away"),
    Cause.HELD: gettext_lazy("Held for approval"),
    Cause.REJECTED: gettext_lazy("An approver decided against it"),
    Cause.CANCELLED: gettext_lazy("Its job was cancelled"),
    Cause.REFUSED: gettext_lazy("Refused by name"),
    Cause.FAILED: gettext_lazy("The removal failed"),
    Cause.SLOW: gettext_lazy("Carried out slowly"),
    Cause.UNCONFIRMED: gettext_lazy("Done, and seen only later"),
}
"""What stood in the way of a leaver's removal."""


NOT_RESTORED = (
    gettext_lazy("The keys of who was removed stay dead; they must make new ones."),
    gettext_lazy(
        "Who was removed, or whose invite was withdrawn, is invited again, and has nothing until that invite "
        "is accepted."
    ),
    gettext_lazy(
        "What an invite cannot carry, groups for example, comes back when the same job is restored once more "
        "after that."
    ),
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
    return _called(SITUATIONS, code)


def kind(code: str) -> str:
    return _called(KINDS, code)


def hold(code: str) -> str:
    return _called(HOLDS, code)


def _called(names: Mapping[str, Promise], code: str) -> str:
    """By its code, where it is one of a later version, or of an earlier one."""
    return str(names.get(code) or capfirst(called(code.replace("_", " "))))


def why(code: str) -> str:
    """The situation as the rest of a sentence; empty where its name says it all."""
    return str(WHY.get(code, ""))


def late(stretch: Stretch) -> str:
    """Why a leaver was late, with the code that tells it apart: `Refused by name: last_owner`."""
    said = _called(LATE, stretch.cause)
    return f"{said}: {stretch.code}" if stretch.code else said


def caused(code: str) -> str:
    """How a sentence begins that names who made an action necessary."""
    return str(CAUSED.get(code) or _("Changed by"))


def what(action: Told) -> str:
    """One decision as a short sentence without its subject."""
    before, after = action.before or {}, action.after or {}
    said = {"role": action.role, "named": _named(action.entitlement)}
    match action.kind:
        case Kind.INVITE:
            return _("Invite as %(role)s") % said
        case Kind.CHANGE_ROLE:
            said |= {"before": before.get("role") or _("none")}
            return _("Change the role from %(before)s to %(role)s") % said
        case Kind.GRANT if action.holder:
            return _("Give %(named)s") % said
        case Kind.GRANT:
            return _("Give %(named)s as %(role)s") % said
        case Kind.CHANGE_GRANT:
            said |= {"before": before.get("role"), "after": after.get("role")}
            return _("Change %(named)s from %(before)s to %(after)s") % said
        case Kind.REVOKE:
            return _("Take away %(named)s") % said
        case Kind.REVOKE_KEY:
            return _("Revoke %(named)s") % said
        case Kind.CREATE:
            return _("Create %(named)s") % said
    return str(WHAT.get(action.kind) or kind(action.kind))


def _named(entitlement: Mapping[str, str] | None) -> str:
    if not entitlement:
        return _("a grant")
    name = entitlement.get("name") or entitlement.get("id")
    return _("the %(kind)s %(name)s") % {"kind": called(entitlement.get("kind", "grant")), "name": name}


def left_off(*, planned: int, done: int, skipped: int, under_way: int) -> str:
    """How far a stopped job came: `3 of 12 actions were done before and stay done; 9 are skipped.`"""
    numbers = {"done": done, "planned": planned, "skipped": skipped, "under_way": under_way}
    parts = [_done_before(done, planned) if done else _("Nothing was done before")]
    if skipped:
        # Of what, is said once.
        parts.append(_so_many_skipped(skipped) if done else _actions_skipped(skipped))
    if under_way:
        parts.append(_under_way(under_way))
    return f"{'; '.join(part % numbers for part in parts)}."


def _done_before(done: int, planned: int) -> str:
    if planned == 1:
        return _("%(done)s of %(planned)s action was done before and stays done")
    return ngettext(
        "%(done)s of %(planned)s actions was done before and stays done",
        "%(done)s of %(planned)s actions were done before and stay done",
        done,
    )


def _so_many_skipped(number: int) -> str:
    return ngettext("%(skipped)s is skipped", "%(skipped)s are skipped", number)


def _actions_skipped(number: int) -> str:
    return ngettext("%(skipped)s action is skipped", "%(skipped)s actions are skipped", number)


def _under_way(number: int) -> str:
    return ngettext(
        "%(under_way)s is under way: its outcome is written down when the reply comes, or found by the "
        "next sync",
        "%(under_way)s are under way: their outcome is written down when the reply comes, or found by the "
        "next sync",
        number,
    )


def picture(state: Mapping[str, Any] | None) -> str:
    """A `before` or `after` on one line: `invited, reader, Search (member)`."""
    if not state:
        return ""
    words = [called(str(state["state"]))] if state.get("state") else []
    words += [str(state[name]) for name in ("role", "key", "place") if state.get(name)]
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
        f"{called(grant['kind'])} {names.get((grant['kind'], grant['id']), grant['id'])} ({grant['role']})"
        for grant in held
    )
