"""Whom a change of the rules would touch: one plan compared with the other. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from directory.emails import email_key
from integrations.connectors.base import Entitlement
from provisioning.actions import Action, Kind, Situation
from provisioning.policy import Key
from provisioning.safety import Decision

What = tuple[str, str] | None
"""Kind and name of what somebody holds; None where it is the account itself."""


class Effect(StrEnum):
    """What becomes of somebody, in the order in which it is told: what gives, what takes, what ends."""

    INVITED = "invited"
    REINVITED = "reinvited"
    RAISED = "raised"
    GAINS = "gains"
    RISES = "rises"
    MADE = "made"
    LOWERED = "lowered"
    SINKS = "sinks"
    LOSES = "loses"
    WITHDRAWN = "withdrawn"
    REMOVED = "removed"
    KEEPS = "keeps"
    FORGOES = "forgoes"


ENDS = (Effect.WITHDRAWN, Effect.REMOVED)
TAKES = (Effect.LOWERED, Effect.SINKS, Effect.LOSES, Effect.WITHDRAWN, Effect.REMOVED)


@dataclass(frozen=True, slots=True)
class Touched:
    """Who would be touched in one way. `what`: by kind and name, where it is about something to hold.

    `who`: addresses, or of a group its name and the addresses or ids that it has. The others count how many
    of them would be `held`, `refused`, or left out because of the `mode`.
    """

    effect: Effect
    what: What
    who: tuple[str, ...]
    held: int = 0
    refused: int = 0
    beyond_mode: int = 0

    @property
    def number(self) -> int:
        return len(self.who)

    @property
    def takes(self) -> bool:
        return self.effect in TAKES


def compare(
    before: Iterable[Action],
    after: Iterable[tuple[Action, Decision]],
    *,
    roles: Sequence[str],
    names: Mapping[Key, str],
    unknown: frozenset[Key] = frozenset(),
) -> list[Touched]:
    """What the second plan does that the first does not, and what the first does that the second leaves out.

    `roles`: of the organization, the lowest first. `names`: of what invites carry. `unknown`: entitlements of
    which nobody has read who holds them, so that giving and taking them says nothing.
    """
    told: dict[tuple[Effect, What], dict[str, Decision]] = {}
    old = {_about(action): action for action in before if action.writes and not _is_about(action, unknown)}
    for action, decision in after:
        if not action.writes or _is_about(action, unknown):
            continue
        earlier = old.pop(_about(action), None)
        if earlier is None or _does(earlier) != _does(action):
            for effect, what in _effects(action, earlier, roles, names):
                told.setdefault((effect, what), {})[who(action)] = decision
    ended = {one for effect in ENDS for one in told.get((effect, None), ())}
    for action in old.values():
        if who(action) in ended:
            continue  # what else would have become of them, nobody asks
        effect = Effect.KEEPS if action.taking else Effect.FORGOES
        told.setdefault((effect, None), {})[who(action)] = Decision.PLANNED
    return sorted(
        (_touched(effect, what, found) for (effect, what), found in told.items()),
        key=lambda one: (list(Effect).index(one.effect), one.what or ("", "")),
    )


def _about(action: Action) -> tuple[object, ...]:
    """One person's or group's hold on one thing, which a plan changes once at most."""
    subject = action.account_id or email_key(action.email)
    return (FAMILIES.get(action.kind, action.kind), subject, action.entitlement, action.holder)


FAMILIES = {Kind.CHANGE_GRANT: Kind.GRANT, Kind.REVOKE: Kind.GRANT}


def _does(action: Action) -> tuple[object, ...]:
    return (action.kind, action.role, action.grants)


def _touched(effect: Effect, what: What, found: Mapping[str, Decision]) -> Touched:
    decided = list(found.values())
    return Touched(
        effect,
        what,
        tuple(sorted(found)),
        held=decided.count(Decision.HELD),
        refused=decided.count(Decision.REFUSED),
        beyond_mode=decided.count(Decision.SKIPPED),
    )


def who(action: Action) -> str:
    if action.holder:
        has = f", {len(action.members)} accounts" if action.members else ""
        return f"{action.holder.name} ({action.holder.kind}{has})"
    return action.email or action.account_id or (action.entitlement.name if action.entitlement else "")


def _is_about(action: Action, unknown: frozenset[Key]) -> bool:
    held = action.entitlement
    return bool(held and held.id and (held.kind, held.id) in unknown)


def _effects(
    action: Action, earlier: Action | None, roles: Sequence[str], names: Mapping[Key, str]
) -> Iterable[tuple[Effect, What]]:
    match action.kind:
        case Kind.INVITE:
            yield from _of_invite(action, earlier, roles, names)
        case Kind.CHANGE_ROLE:
            yield (Effect.LOWERED if action.taking else Effect.RAISED), ("role", action.role or "")
        case Kind.GRANT:
            yield Effect.GAINS, _named(action.entitlement, action.role)
        case Kind.CHANGE_GRANT:
            yield (Effect.SINKS if action.taking else Effect.RISES), _named(action.entitlement, action.role)
        case Kind.REVOKE:
            yield Effect.LOSES, _named(action.entitlement, None)
        case Kind.WITHDRAW_INVITE if action.situation is Situation.LEAVER:
            yield Effect.WITHDRAWN, None
        case Kind.REMOVE:
            yield Effect.REMOVED, None
        case Kind.CREATE:
            yield Effect.MADE, _named(action.entitlement, None)
        case _:
            return  # an invite that is sent anew is withdrawn before, which is one thing to whoever looks


def _of_invite(
    action: Action, earlier: Action | None, roles: Sequence[str], names: Mapping[Key, str]
) -> Iterable[tuple[Effect, What]]:
    if earlier is None:
        yield (Effect.INVITED if action.situation is Situation.JOINER else Effect.REINVITED), None
    elif earlier.role != action.role:
        rises = _rank(roles, action.role) > _rank(roles, earlier.role)
        yield (Effect.RAISED if rises else Effect.LOWERED), ("role", action.role or "")
    for grant in action.grants:
        if earlier is None or grant not in earlier.grants:
            name = names.get((grant.kind, grant.id), grant.id)
            yield Effect.GAINS, (grant.kind, f"{name} ({grant.role})")


def _rank(roles: Sequence[str], role: str | None) -> int:
    return roles.index(role) if role in roles else -1


def _named(held: Entitlement | None, role: str | None) -> tuple[str, str]:
    if held is None:
        return ("", "")
    return held.kind, f"{held.name} ({role})" if role else held.name
