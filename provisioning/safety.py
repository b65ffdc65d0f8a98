"""Is this plan safe? Judged on the whole, before the first call, the same in preview. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from directory.emails import email_key
from provisioning.actions import Action, Kind


class Code(StrEnum):
    DIRECTORY_EMPTY = "directory_empty"
    SOURCE_SHRUNK = "source_shrunk"
    READ_INCOMPLETE = "read_incomplete"
    LAST_OWNER = "last_owner"
    CREDENTIAL_OWNER = "credential_owner"
    PROTECTED = "protected"
    ORPHANED_OWNER = "orphaned_owner"
    REMOVAL_LIMIT = "removal_limit"
    FIRST_REMOVALS = "first_removals"
    ACCOUNTS_VANISHED = "accounts_vanished"
    RESTORE = "restore"
    ACCESS_REVIEW = "access_review"
    MODE = "mode"
    NEEDS_ANOTHER = "needs_another"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was refused, held or skipped: a code, and a sentence with the numbers."""

    code: Code
    detail: str

    def as_json(self) -> dict[str, str]:
        return {"code": str(self.code), "detail": self.detail}


class Decision(StrEnum):
    PLANNED = "planned"
    HELD = "held"
    REFUSED = "refused"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Limits:
    """The integration's settings that safety looks at."""

    mode: str = "manage"
    removal_limit_count: int = 3
    removal_limit_percent: int = 10
    hold_everything_over_limit: bool = False
    hold_first_removals: bool = True
    minimum_owners: int = 1
    vanished_percent: int = 20
    source_shrink_count: int = 3
    source_shrink_percent: int = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known beside the plan. `sources_before` and `sources_now`: active people by source;
    a source whose drop a person has accepted is left out of `sources_before`.
    `protected`: by their addresses, `protected_accounts`: by their ids.
    `taken_recently`: accounts that lost something in the last 24 hours without an approval.
    `restores`: the number of the job whose takings the plan gives back. `review`: the name of the access
    review whose revocations it carries out.
    """

    active_people: int
    accounts: int
    owners: frozenset[str]
    credential_owner: str | None = None
    protected: frozenset[str] = frozenset()
    protected_accounts: frozenset[str] = frozenset()
    sources_before: Mapping[str, int] = field(default_factory=dict)
    sources_now: Mapping[str, int] = field(default_factory=dict)
    taken_recently: frozenset[str] = frozenset()
    first_applying: bool = False
    members_before: int = 0
    members_vanished: int = 0
    restores: int | None = None
    review: str = ""


Decided = tuple[Decision, tuple[Reason, ...]]
"""A decision, with its reason. An action may be held for several, and waits until all are overridden."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`refusal` stops the job. Otherwise each action, by its place, is decided on.

    `holds`: what a person must override, one by one.
    """

    refusal: Reason | None
    holds: tuple[Reason, ...]
    decisions: tuple[Decided, ...]


def assess(plan: Sequence[tuple[Action, int | None]], facts: Facts, limits: Limits) -> Verdict:
    """Judge a plan: pairs of an action and the place of the action it needs."""
    if refusal := refuse_job(facts, limits):
        return Verdict(refusal, (), tuple((Decision.SKIPPED, (refusal,)) for _ in plan))
    decisions = _judge_one_by_one([action for action, _ in plan], facts, limits)
    _follow_needs(plan, decisions)
    holds = hold_reasons(
        [action for place, (action, _) in enumerate(plan) if decisions[place][0] is Decision.PLANNED],
        facts,
        limits,
    )
    _hold(plan, decisions, holds, limits)
    _follow_needs(plan, decisions)
    return Verdict(None, tuple(holds), tuple(decisions))


def refuse_job(facts: Facts, limits: Limits) -> Reason | None:
    """What no approval can override: a directory that cannot be the truth. What people have named one by one,
    for a restore or in a review, does not rest on it.
    """
    if facts.restores or facts.review:
        return None
    if facts.active_people == 0:
        return Reason(Code.DIRECTORY_EMPTY, "Nobody in the directory is active; nobody would keep access.")
    for source, before in sorted(facts.sources_before.items()):
        lost = before - facts.sources_now.get(source, 0)
        allowed = max(limits.source_shrink_count, before * limits.source_shrink_percent // 100)
        if lost > allowed:
            return Reason(
                Code.SOURCE_SHRUNK,
                f"Source {source!r} shrank from {before} to {before - lost} active people since the last "
                f"sync, the guard is {allowed}. Accept its new size on the source, or repair it.",
            )
    return None


def _judge_one_by_one(actions: Sequence[Action], facts: Facts, limits: Limits) -> list[Decided]:
    owners = set(facts.owners)
    decisions: list[Decided] = []
    for action in actions:
        reason = refuse_action(action, facts, limits, owners)
        if reason:
            decisions.append((Decision.REFUSED, (reason,)))
        elif action.writes and (reason := beyond_mode(limits.mode, taking=action.taking)):
            decisions.append((Decision.SKIPPED, (reason,)))
        else:
            decisions.append((Decision.PLANNED, ()))
            if unseats(action):
                owners.discard(action.account_id or "")
    return decisions


def unseats(action: Action) -> bool:
    """Whether the action ends somebody's ownership, if they are an owner."""
    return action.taking and action.kind in (Kind.REMOVE, Kind.CHANGE_ROLE)


def refuse_action(action: Action, facts: Facts, limits: Limits, owners: set[str]) -> Reason | None:
    """What no approval can override about one account. `owners`: who owns before this action."""
    if not action.writes:
        return None
    if action.email and email_key(action.email) in facts.protected:
        return Reason(Code.PROTECTED, f"{action.email} is protected and never touched.")
    if action.taking and (protected := facts.protected_accounts & set(action.members)):
        return protected_in_group(action.holder.name if action.holder else "", len(protected))
    if not action.taking or action.account_id is None:
        return None
    if action.account_id == facts.credential_owner:
        return owns_the_key(action.email)
    return _refuse_for_owner(action, facts, limits, owners) if action.account_id in facts.owners else None


def _refuse_for_owner(action: Action, facts: Facts, limits: Limits, owners: set[str]) -> Reason | None:
    if facts.credential_owner is None:
        return may_own_the_key(action.email)
    if action.person_id is None:
        return Reason(Code.ORPHANED_OWNER, f"{action.email} is nobody's, and an owner: only reported.")
    left = len(owners - {action.account_id})
    if unseats(action) and left < limits.minimum_owners:
        return too_few_owners(action.email, left, limits.minimum_owners)
    return None


def protected_in_group(group: str, number: int) -> Reason:
    who = f"{number} protected accounts" if number > 1 else "A protected account"
    return Reason(Code.PROTECTED, f"{who} would lose it with the group {group}.")


def owns_the_key(email: str) -> Reason:
    return Reason(
        Code.CREDENTIAL_OWNER,
        f"{email} owns the key that Cakewalk works with. Use another owner's key first.",
    )


def may_own_the_key(email: str) -> Reason:
    return Reason(
        Code.CREDENTIAL_OWNER,
        f"{email} is an owner, and it is not known which owner the key in use belongs to.",
    )


def too_few_owners(email: str, left: int, minimum: int) -> Reason:
    return Reason(Code.LAST_OWNER, f"Without {email} there would be {left} owners, the minimum is {minimum}.")


def beyond_mode(mode: str, *, taking: bool) -> Reason | None:
    """What a mode does not allow of an action that writes."""
    if mode == "observe":
        return Reason(Code.MODE, "The integration only observes; nothing is changed.")
    if mode == "extend" and taking:
        return Reason(Code.MODE, "The integration only extends; nothing is taken away.")
    return None


def hold_reasons(actions: Sequence[Action], facts: Facts, limits: Limits) -> list[Reason]:
    """What a person must look at first, for the actions that would otherwise be carried out."""
    writes = [action for action in actions if action.writes]
    takings = [action for action in writes if action.taking]
    losers = {loser for action in takings for loser in _losers(action)}
    reasons = _asked_for(writes, facts, limits)
    if takings and facts.first_applying and limits.hold_first_removals:
        reasons.append(
            Reason(
                Code.FIRST_REMOVALS,
                f"{len(losers)} of {facts.accounts} accounts would lose access in the first sync "
                "of this integration",
            )
        )
    limit = max(limits.removal_limit_count, facts.accounts * limits.removal_limit_percent // 100)
    total = losers | facts.taken_recently
    if losers and len(total) > limit:
        earlier = len(total) - len(losers)
        recent = f", {earlier} lost some in the last 24 hours" if earlier else ""
        reasons.append(
            Reason(
                Code.REMOVAL_LIMIT,
                f"{len(losers)} of {facts.accounts} accounts would lose access{recent}, the limit is {limit}",
            )
        )
    return reasons


def _asked_for(writes: Sequence[Action], facts: Facts, limits: Limits) -> list[Reason]:
    """What does not hang on how many would lose something."""
    if not writes:
        return []
    vanished = vanished_in_numbers(facts, limits)
    reasons = [vanished] if vanished else []
    if facts.restores:
        reasons.append(beyond_rules(writes, facts.restores))
    if facts.review:
        reasons.append(revoked_in_review(writes, facts.review))
    return reasons


def _losers(action: Action) -> Sequence[str]:
    """The accounts that lose something. What is taken from a group is taken from each of its members."""
    return action.members if action.holder else (action.account_id or action.email,)


def beyond_rules(writes: Sequence[Action], job: int) -> Reason:
    """A restore gives what no rule may give, so that somebody must answer for it."""
    accounts = len({action.email for action in writes})
    return Reason(
        Code.RESTORE, f"{accounts} account{'s' if accounts != 1 else ''} would get back what job {job} took"
    )


def revoked_in_review(writes: Sequence[Action], review: str) -> Reason:
    """However few they are: a review takes what the rules may give."""
    accounts = len({action.account_id for action in writes})
    return Reason(
        Code.ACCESS_REVIEW,
        f"{accounts} account{'s' if accounts != 1 else ''} would lose what the review {review!r} revokes",
    )


def vanished_in_numbers(facts: Facts, limits: Limits) -> Reason | None:
    """More members missing than leave by hand between two reads."""
    allowed = max(3, facts.members_before * limits.vanished_percent // 100)
    if facts.members_vanished <= allowed:
        return None
    return Reason(
        Code.ACCOUNTS_VANISHED,
        f"{facts.members_vanished} of {facts.members_before} members are missing since the last "
        f"complete read, the limit is {allowed}",
    )


def _hold(
    plan: Sequence[tuple[Action, int | None]],
    decisions: list[Decided],
    holds: Sequence[Reason],
    limits: Limits,
) -> None:
    for place, (action, _) in enumerate(plan):
        mine = tuple(reason for reason in holds if action.taking or _holds_everything(reason, limits))
        if mine and action.writes and decisions[place][0] is Decision.PLANNED:
            decisions[place] = (Decision.HELD, mine)


def _holds_everything(reason: Reason, limits: Limits) -> bool:
    if reason.code is Code.REMOVAL_LIMIT:
        return limits.hold_everything_over_limit
    return reason.code in (Code.ACCOUNTS_VANISHED, Code.RESTORE, Code.ACCESS_REVIEW)


def _follow_needs(plan: Sequence[tuple[Action, int | None]], decisions: list[Decided]) -> None:
    """An action whose first step is held, refused or skipped shares its fate."""
    for place, (_, needs) in enumerate(plan):
        own, held_for = decisions[place]
        if needs is None or own not in (Decision.PLANNED, Decision.HELD):
            continue
        decision, reasons = decisions[needs]
        if decision is Decision.HELD:
            decisions[place] = (Decision.HELD, tuple(dict.fromkeys((*reasons, *held_for))))
        elif decision is not Decision.PLANNED:
            because = f" {reasons[0].detail}" if reasons else ""
            explained = Reason(Code.NEEDS_ANOTHER, f"It needs an action that is not done.{because}")
            decisions[place] = (Decision.SKIPPED, (explained,))
