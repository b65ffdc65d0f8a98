"""Why a person has what they have in one integration, and what the next job would decide, in words for
whoever looks. Nothing is asked for here: it is told over values alone.

Through the same functions as a job's plan, so that what is foreseen here is what the job decides, as long as
the remote is still as the last complete read saw it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cakewalk.words import called
from directory.emails import email_key
from directory.snapshot import Person
from integrations.connectors.base import Account, AccountState
from provisioning import wording
from provisioning.actions import Action, Kind, Situation, plan_line
from provisioning.matching import AcceptedElsewhere, Ambiguous, Leftover, Linked, Match
from provisioning.policy import Excepted, Key, Policy, Rule, RuleGrant, Target
from provisioning.safety import Decision, Facts, Limits, Reason, assess

NAMES: Mapping[Decision, tuple[Promise, str]] = {
    Decision.PLANNED: (gettext_lazy("Would be done"), "info"),
    Decision.HELD: (gettext_lazy("Would wait for approval"), "warning"),
    Decision.REFUSED: (gettext_lazy("Would be refused"), "danger"),
    Decision.SKIPPED: (gettext_lazy("Would not be done"), ""),
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
        nothing="" if foreseen else _why_nothing(target, known, policy.excepted(person)),
    )


def _found(person: Person, matches: Sequence[Match], known: Known) -> str:
    lines = [_of_match(person, match, known) for match in matches]
    return " ".join(line for line in lines if line) or _nobody(known)


def _nobody(known: Known) -> str:
    return _("No account there answers to them.") if known.was_read else _("Nothing was read there yet.")


def _of_match(person: Person, match: Match, known: Known) -> str:
    match match:
        case Linked(_, account):
            return _how(person, account, known)
        case Ambiguous():
            return _("It cannot be told which account is theirs, so that none is touched.")
        case AcceptedElsewhere(_, account):
            said = _("None is known to be theirs. Perhaps %(account)s is.")
            return said % {"account": account.email or account.id}
        case Leftover(_, account):
            said = _("A further invite, to %(account)s, can do nothing.")
            return said % {"account": account.email or account.id}
        case _:
            return ""


def _how(person: Person, account: Account, known: Known) -> str:
    if account.id in known.by_hand:
        return _("Linked to them by hand.")
    if account.id not in known.matched:
        return _("Found by its address; the next job writes that down.")
    if account.email and email_key(account.email) in person.keys:
        return _("Matched by e-mail, and known by its id since.")
    return _("Matched by e-mail once, and known by its id since, though its address is none of theirs now.")


def _gives(target: Target | None, policy: Policy) -> str:
    if target is None:
        return ""
    words = [target.role]
    words += sorted(f"{_name(key, policy)} ({role})" for key, role in target.grants.items())
    words += [_awaited(kind, name, role) for (kind, name), role in target.awaited.items()]
    return ", ".join(words)


def _awaited(kind: str, name: str, role: str) -> str:
    said = _("%(kind)s %(name)s (%(role)s), once it is made")
    return said % {"kind": called(kind), "name": name, "role": role}


def _has(account: Account | None, policy: Policy) -> str:
    if account is None:
        return ""
    state = "" if account.state is AccountState.ACTIVE else str(STATES[account.state])
    held = sorted(f"{_name((grant.kind, grant.id), policy)} ({grant.role})" for grant in account.grants)
    return ", ".join(word for word in (state, account.role or "", *held) if word)


STATES = {
    AccountState.INVITED: gettext_lazy("an open invite"),
    AccountState.EXPIRED: gettext_lazy("a lapsed invite"),
}


def _name(key: Key, policy: Policy) -> str:
    return f"{called(key[0])} {policy.names.get(key, key[1])}"


def gives(rule: Rule) -> str:
    """What one rule gives, in its own words."""
    return ", ".join([rule.role, *map(_in_words, rule.grants)])


def _in_words(grant: RuleGrant) -> str:
    return f"{called(grant.kind)} {grant.name} ({grant.role})"


def differences(target: Target | None, account: Account | None, policy: Policy) -> Iterator[str]:
    """Between what the rules give and what the account has, in short sentences."""
    if target is None:
        if account:
            yield _("They have an account, and no rule gives one.")
        return
    if account is None:
        yield _("The rules give an account, and they have none.")
        return
    if account.state is not AccountState.ACTIVE:
        yield _("They have %(state)s, and no membership yet.") % {"state": STATES[account.state]}
    if account.role != target.role:
        said = _("The role is %(role)s, and the rules give %(wanted)s.")
        yield said % {"role": account.role or _("unknown"), "wanted": target.role}
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
    told = {"name": name, "held": held, "wanted": wanted}
    if held is None:
        yield _("They lack %(name)s (%(wanted)s).") % told
    elif wanted is None:
        yield _("They have %(name)s (%(held)s), which no rule gives.") % told
    else:
        yield _("They have %(name)s as %(held)s, and the rules give %(wanted)s.") % told


def _foreseen(
    plan: Sequence[tuple[Action, int | None]], facts: Facts, limits: Limits, known: Known
) -> Iterator[Foreseen]:
    verdict = assess(plan, facts, limits)
    for (action, _needs), (decision, reasons) in zip(plan, verdict.decisions, strict=True):
        because = _because(decision, reasons)
        name, tone = NAMES[decision] if action.writes else (gettext_lazy("Would be reported"), "")
        yield Foreseen(_what(action), " ".join(filter(None, (_why(action, known), because))), str(name), tone)


def _because(decision: Decision, reasons: Sequence[Reason]) -> str:
    """Numbers of a hold are those of a whole job, which are not known here."""
    if decision is Decision.HELD:
        return _("Held for: %(holds)s.") % {
            "holds": ", ".join(wording.hold(reason.code) for reason in reasons)
        }
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


def _why_nothing(target: Target | None, known: Known, excepted: Excepted | None) -> str:
    if target:
        return _("Nothing to do: the account is as the rules say.")
    if known.gone:
        return _("Nothing to do: they have no account. %(gone)s") % {"gone": known.gone}
    if excepted:
        said = _("Nothing to do: all access was revoked in the access review %(review)s, and they have none.")
        return said % {"review": excepted.review}
    return _("Nothing to do: no rule gives them access, and they have none.")
