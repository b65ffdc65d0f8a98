"""Why a plan has a line, as codes with facts: from the directory's history, the rules and the remote. Pure.

The words are found when somebody looks: `because.py`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from directory.snapshot import Person
from provisioning.actions import Action, Kind, Situation
from provisioning.planning import Left
from provisioning.policy import Policy, Rule

Reason = dict[str, Any]
"""`code`, and what its sentence needs. Plain JSON values, as they are stored with the action."""


class Why(StrEnum):
    ENTERED = "entered"
    ACTIVATED = "activated"
    DEACTIVATED = "deactivated"
    INACTIVE = "inactive"
    STARTED = "started"
    NOT_STARTED = "not_started"
    ENDED = "ended"
    JOINED_GROUP = "joined_group"
    LEFT_GROUP = "left_group"
    RULE_GIVES = "rule_gives"
    NO_RULE = "no_rule"
    NO_RULE_FOR = "no_rule_for"
    RULES_CHANGED = "rules_changed"
    CHANGED_THERE = "changed_there"
    NEVER_IN_STEP = "never_in_step"
    INVITE_LAPSED = "invite_lapsed"
    INVITE_DIFFERS = "invite_differs"
    EXCEPTED = "excepted"


ACCESS_COLUMNS = ("active", "groups")
"""Of a person's history, what access may hang on beside their dates."""


@dataclass(frozen=True, slots=True)
class Revised:
    """One change of a person: when, by whom, and which columns from what to what."""

    at: str
    by: str
    fields: Mapping[str, Sequence[Any]]

    def gained(self) -> set[str]:
        was, now = self.fields.get("groups", (None, None))
        return set(now or ()) - set(was or ())

    def lost(self) -> set[str]:
        was, now = self.fields.get("groups", (None, None))
        return set(was or ()) - set(now or ())

    @property
    def is_first(self) -> bool:
        return self.fields.get("active", (False,))[0] is None


@dataclass(frozen=True, slots=True)
class Past:
    """What is kept of one person, the newest change first. `active`: as written, whatever the dates say."""

    active: bool
    start_date: date | None = None
    end_date: date | None = None
    revisions: tuple[Revised, ...] = ()


@dataclass(frozen=True, slots=True)
class Ground:
    """What the reasons of one plan rest on. `groups`: the names of those that rules speak of, by id."""

    policy: Policy
    left: Mapping[str, Left]
    groups: Mapping[int, str]
    people: Mapping[int, Person]
    past: Mapping[int, Past]
    today: date


NOT_FOR_PEOPLE = (
    Situation.ORPHAN,
    Situation.RESTORED,
    Situation.REVIEWED,
    Situation.LEFT_BEHIND,
    Situation.MISSING,
)
"""Why these are planned hangs on no person's history, and their `detail` says it."""


def find_reasons(action: Action, ground: Ground) -> list[Reason]:
    person, past = ground.people.get(action.person_id or 0), ground.past.get(action.person_id or 0)
    if action.situation in NOT_FOR_PEOPLE or action.holder or not (person and past):
        return []
    if action.situation is Situation.LEAVER:
        return list(_why_gone(person, past, ground))
    return [*_why_now(action, ground), *_why_so(action, person, past, ground)]


def _why_gone(person: Person, past: Past, ground: Ground) -> Iterable[Reason]:
    if person.active and (excepted := ground.policy.excepted(person)):
        yield {"code": Why.EXCEPTED, "review": excepted.review}
    elif person.active:
        yield from _left(past, _groups_of(ground.policy.rules, ground))
        yield {"code": Why.NO_RULE}
    elif not past.active:
        said = next((one for one in past.revisions if "active" in one.fields), None)
        yield _told(Why.DEACTIVATED, said) if said and not said.is_first else {"code": Why.INACTIVE}
    elif past.start_date and past.start_date > ground.today:
        yield {"code": Why.NOT_STARTED, "date": past.start_date.isoformat()}
    elif past.end_date:
        yield {"code": Why.ENDED, "date": past.end_date.isoformat()}


def _why_now(action: Action, ground: Ground) -> Iterable[Reason]:
    """What is not as it was left, where it is not the directory that has changed."""
    if action.situation is Situation.INVITE_EXPIRED:
        yield {"code": Why.INVITE_LAPSED}
    elif action.situation is Situation.INVITE_CHANGED:
        yield {"code": Why.INVITE_DIFFERS}
    elif action.situation is Situation.DRIFT:
        left = ground.left.get(action.account_id or "")
        if left is None:
            yield {"code": Why.NEVER_IN_STEP}
        elif (was := _role_left(action, left)) != (now := (action.before or {}).get("role")):
            yield {"code": Why.CHANGED_THERE, "was": was, "now": now}


def _role_left(action: Action, left: Left) -> str | None:
    """Which role the account was left with, in the organization or on what the action is about."""
    if action.entitlement is None:
        return left.role
    key = (action.entitlement.kind, action.entitlement.id)
    return next((grant.role for grant in left.grants if (grant.kind, grant.id) == key), None)


def _why_so(action: Action, person: Person, past: Past, ground: Ground) -> Iterable[Reason]:
    if excepted := ground.policy.excepted(person, action.entitlement):
        yield {"code": Why.EXCEPTED, "review": excepted.review}
        return
    theirs = [rule for rule in ground.policy.rules if rule.group is None or rule.group in person.groups]
    rules = _that_give(action, theirs)
    if rules:
        if action.situation is not Situation.DRIFT and not action.taking:
            yield from _came(person, past, rules, ground)
        if action.taking and action.situation is Situation.MOVER:
            yield from _left_or_changed(action, past, theirs, ground)
        yield _gives(action, rules)
        return
    if action.situation is not Situation.DRIFT:
        yield from _left_or_changed(action, past, theirs, ground)
    held = action.entitlement
    yield {"code": Why.NO_RULE_FOR, "kind": held.kind, "name": held.name} if held else {"code": Why.NO_RULE}


def _left_or_changed(action: Action, past: Past, theirs: Sequence[Rule], ground: Ground) -> Iterable[Reason]:
    others = [rule for rule in ground.policy.rules if rule not in theirs and rule.group is not None]
    gave = _that_gave(action, others)
    lost = list(_left(past, _groups_of(gave, ground)))
    yield from lost or [{"code": Why.RULES_CHANGED}]


def _that_give(action: Action, rules: Sequence[Rule]) -> list[Rule]:
    """The rules that ask for what the action makes of it."""
    if action.entitlement is None:
        return [rule for rule in rules if rule.role == action.role or action.kind is Kind.WITHDRAW_INVITE]
    return [rule for rule in rules if _names(rule, action) and action.role is not None]


def _that_gave(action: Action, rules: Sequence[Rule]) -> list[Rule]:
    """The rules that would ask for what is there before it."""
    if action.entitlement is None:
        before = (action.before or {}).get("role")
        return [rule for rule in rules if before in (None, rule.role)]
    return [rule for rule in rules if _names(rule, action)]


def _names(rule: Rule, action: Action) -> bool:
    held = action.entitlement
    return held is not None and (held.kind, held.name.casefold()) in {grant.key for grant in rule.grants}


def _groups_of(rules: Iterable[Rule], ground: Ground) -> set[str]:
    named = (ground.groups.get(rule.group) for rule in rules if rule.group is not None)
    return {name for name in named if name}


def _gives(action: Action, rules: Sequence[Rule]) -> Reason:
    held = action.entitlement
    what = {"kind": held.kind, "name": held.name} if held else {}
    return {"code": Why.RULE_GIVES, "rules": [rule.name for rule in rules], "role": action.role, **what}


def _came(person: Person, past: Past, rules: Sequence[Rule], ground: Ground) -> Iterable[Reason]:
    """The newest of what made these rules speak of the person."""
    groups = _groups_of((rule for rule in rules if rule.group in person.groups), ground)
    for one in past.revisions:
        gained = sorted(one.gained() & groups)
        if one.is_first:
            yield _told(Why.ENTERED, one, group=", ".join(gained))
        elif gained:
            yield _told(Why.JOINED_GROUP, one, group=", ".join(gained), **_groups_then(one))
        elif one.fields.get("active", (None, None))[1]:
            yield _told(Why.ACTIVATED, one)
        else:
            continue
        break
    if past.start_date and past.start_date <= ground.today and not _is_older(past):
        yield {"code": Why.STARTED, "date": past.start_date.isoformat()}


def _is_older(past: Past) -> bool:
    """Whether their first day lies before all that is known of them, and so explains nothing."""
    first = past.revisions[-1].at if past.revisions else ""
    return past.start_date is None or past.start_date.isoformat() <= first


def _left(past: Past, groups: set[str]) -> Iterable[Reason]:
    for one in past.revisions:
        if lost := sorted(one.lost() & groups):
            yield _told(Why.LEFT_GROUP, one, group=", ".join(lost), **_groups_then(one))
            return


def _groups_then(one: Revised) -> Mapping[str, Any]:
    was, now = one.fields["groups"]
    return {"was": list(was or ()), "now": list(now or ())}


def _told(code: Why, by: Revised, **facts: Any) -> Reason:
    return {"code": code, "at": by.at, "by": by.by, **facts}


def left_since(reasons: Iterable[Reason]) -> str | None:
    """When the directory last said what ended somebody's access, if it has told when."""
    ended = (Why.DEACTIVATED, Why.LEFT_GROUP)
    return max(
        (reason["at"] for reason in reasons if reason["code"] in ended and "at" in reason), default=None
    )
