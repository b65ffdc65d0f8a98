"""Why a person has what they have in one integration, and what the next job would decide. Pure.

Through the same functions as a job's plan, so that what is foreseen here is what the job decides, as long as
the remote is still as the last complete read saw it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from directory.emails import email_key
from directory.snapshot import Person
from integrations.connectors.base import Account, AccountState
from provisioning import wording
from provisioning.actions import Action, Kind, Situation, plan_line
from provisioning.matching import AcceptedElsewhere, Ambiguous, Leftover, Linked, Match
from provisioning.policy import Key, Policy, Rule, RuleGrant, Target
from provisioning.safety import Decision, Facts, Limits, Reason, assess

NAMES: Mapping[Decision, tuple[str, str]] = {
    Decision.PLANNED: ("Would be done", "info"),
    Decision.HELD: ("Would wait for approval", "warning"),
    Decision.REFUSED: ("Would be refused", "danger"),
    Decision.SKIPPED: ("Would not be done", ""),
}


@dataclass(frozen=True, slots=True)
class Foreseen:
    """One decision of the next job. `name` and `tone` are those of its label."""

    what: str
    why: str
    name: str
    tone: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """`found`: which account is theirs and how that is known, or why none is. `account`: theirs, if any."""

    found: str
    account: Account | None
    gives: str
    has: str
    differences: tuple[str, ...]
    next: tuple[Foreseen, ...]
    nothing: str
    """Why there is nothing to do; empty where there is something."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one integration beside the values that a plan is made from.

    `was_read`: whether there was a complete read. `by_hand`, `matched`: ids of accounts that were linked by a
    person, or found by an earlier match. `gone`: why the person is no longer active, if they are not.
    """

    was_read: bool = True
    by_hand: frozenset[str] = frozenset()
    matched: frozenset[str] = frozenset()
    gone: str = ""


def explain(
    person: Person,
    matches: Sequence[Match],
    plan: Sequence[tuple[Action, int | None]],
    policy: Policy,
    facts: Facts,
    limits: Limits,
    known: Known,
) -> Explanation:
    """`matches` and `plan`: those of the person. `plan`: as a job about them alone would make it."""
    target = policy.target_for(person)
    account = next((match.account for match in matches if isinstance(match, Linked)), None)
    foreseen = tuple(_foreseen(plan, facts, limits, known))
    return Explanation(
        found=_found(person, matches, known),
        account=account,
        gives=_gives(target, policy),
        has=_has(account, policy),
        differences=tuple(differences(target, account, policy)),
        next=foreseen,
        nothing="" if foreseen else _why_nothing(target, known),
    )


def _found(person: Person, matches: Sequence[Match], known: Known) -> str:
    lines = [_of_match(person, match, known) for match in matches]
    return " ".join(line for line in lines if line) or _nobody(known)


def _nobody(known: Known) -> str:
    return "No account there answers to them." if known.was_read else "Nothing was read there yet."


def _of_match(person: Person, match: Match, known: Known) -> str:
    match match:
        case Linked(_, account):
            return _how(person, account, known)
        case Ambiguous():
            return "It cannot be told which account is theirs, so that none is touched."
        case AcceptedElsewhere(_, account):
            return f"None is known to be theirs. Perhaps {account.email or account.id} is."
        case Leftover(_, account):
            return f"A further invite, to {account.email or account.id}, can do nothing."
        case _:
            return ""


def _how(person: Person, account: Account, known: Known) -> str:
    if account.id in known.by_hand:
        return "Linked to them by hand."
    if account.id not in known.matched:
        return "Found by its address; the next job writes that down."
    if account.email and email_key(account.email) in person.keys:
        return "Matched by e-mail, and known by its id since."
    return "Matched by e-mail once, and known by its id since, though its address is none of theirs now."


def _gives(target: Target | None, policy: Policy) -> str:
    if target is None:
        return ""
    words = [target.role]
    words += sorted(f"{_name(key, policy)} ({role})" for key, role in target.grants.items())
    words += [f"{kind} {name} ({role}), once it is made" for (kind, name), role in target.awaited.items()]
    return ", ".join(words)


def _has(account: Account | None, policy: Policy) -> str:
    if account is None:
        return ""
    state = "" if account.state is AccountState.ACTIVE else STATES[account.state]
    held = sorted(f"{_name((grant.kind, grant.id), policy)} ({grant.role})" for grant in account.grants)
    return ", ".join(word for word in (state, account.role or "", *held) if word)


STATES = {AccountState.INVITED: "an open invite", AccountState.EXPIRED: "a lapsed invite"}


def _name(key: Key, policy: Policy) -> str:
    return f"{key[0]} {policy.names.get(key, key[1])}"


def gives(rule: Rule) -> str:
    """What one rule gives, in its own words."""
    return ", ".join([rule.role, *map(_in_words, rule.grants)])


def _in_words(grant: RuleGrant) -> str:
    return f"{grant.kind} {grant.name} ({grant.role})"


def differences(target: Target | None, account: Account | None, policy: Policy) -> Iterator[str]:
    """Between what the rules give and what the account has, in short sentences."""
    if target is None:
        if account:
            yield "They have an account, and no rule gives one."
        return
    if account is None:
        yield "The rules give an account, and they have none."
        return
    if account.state is not AccountState.ACTIVE:
        yield f"They have {STATES[account.state]}, and no membership yet."
    if account.role != target.role:
        yield f"The role is {account.role or 'unknown'}, and the rules give {target.role}."
    held = {(grant.kind, grant.id): grant.role for grant in account.grants}
    for key in sorted(policy.managed, key=lambda key: _name(key, policy)):
        if not _by_being_owner(key, account, target, policy):
            yield from _of_grant(_name(key, policy), held.get(key), _wanted(key, account, target, policy))


def _wanted(key: Key, account: Account, target: Target, policy: Policy) -> str | None:
    """The role that the rules give there; of an invite, only what it can carry."""
    role = target.grants.get(key)
    carried = policy.vocabulary.invite_carries.get(key[0], ())
    return role if account.state is AccountState.ACTIVE or role in carried else None


def _by_being_owner(key: Key, account: Account, target: Target, policy: Policy) -> bool:
    owner = policy.vocabulary.owner_role
    return key[0] in policy.vocabulary.implicit and owner in (account.role, target.role)


def _of_grant(name: str, held: str | None, wanted: str | None) -> Iterator[str]:
    if held == wanted:
        return
    if held is None:
        yield f"They lack {name} ({wanted})."
    elif wanted is None:
        yield f"They have {name} ({held}), which no rule gives."
    else:
        yield f"They have {name} as {held}, and the rules give {wanted}."


def _foreseen(
    plan: Sequence[tuple[Action, int | None]], facts: Facts, limits: Limits, known: Known
) -> Iterator[Foreseen]:
    verdict = assess(plan, facts, limits)
    for (action, _), (decision, reasons) in zip(plan, verdict.decisions, strict=True):
        because = _because(decision, reasons)
        name, tone = NAMES[decision] if action.writes else ("Would be reported", "")
        yield Foreseen(_what(action), " ".join(filter(None, (_why(action, known), because))), name, tone)


def _because(decision: Decision, reasons: Sequence[Reason]) -> str:
    """Numbers of a hold are those of a whole job, which are not known here."""
    if decision is Decision.HELD:
        return f"Held for: {', '.join(wording.hold(reason.code) for reason in reasons)}."
    return " ".join(reason.detail for reason in reasons)


def _what(action: Action) -> str:
    line = {"holder": None, "new_account_id": None, **plan_line(action, needs=None)}
    return wording.what(SimpleNamespace(**line))


def _why(action: Action, known: Known) -> str:
    if action.situation is Situation.LEAVER and known.gone and action.kind is not Kind.REPORT:
        return known.gone
    if action.detail:
        return action.detail
    why = wording.why(action.situation)
    return f"{wording.situation(action.situation)}: {why}." if why else ""


def _why_nothing(target: Target | None, known: Known) -> str:
    if target:
        return "Nothing to do: the account is as the rules say."
    if known.gone:
        return f"Nothing to do: they have no account. {known.gone}"
    return "Nothing to do: no rule gives them access, and they have none."
