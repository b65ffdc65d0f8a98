"""Whatever the directory, the organization, the rules and the settings: what a plan never does."""

import random

from hypothesis import given
from hypothesis import strategies as st

from directory.emails import email_key
from directory.snapshot import Person
from provisioning.actions import Action, Kind
from provisioning.matching import Ambiguous
from provisioning.safety import Decision, Facts, Limits, Verdict, assess, refuse_job
from tests.effort import cases as so_many
from tests.provisioning.generated import Case, cases, facts, limits, owners_of

ENDING = (Kind.REMOVE, Kind.WITHDRAW_INVITE)


def person_of(case: Case, action: Action) -> Person | None:
    return next((person for person in case.people if person.id == action.person_id), None)


def ends(case: Case) -> list[Action]:
    """What ends an account for good: an invite that makes way for a new one does not."""
    needed = {needs for _, needs in case.lines}
    return [
        action
        for place, (action, _) in enumerate(case.lines)
        if action.kind in ENDING and place not in needed
    ]


@so_many(100, 8_000)
@given(cases())
def test_whom_the_rules_give_access_nobody_removes(case: Case) -> None:
    for action in ends(case):
        person = person_of(case, action)
        if person:
            assert case.policy.target_for(person) is None
            assert action.situation == "leaver"
        else:
            assert (action.situation, case.policy.remove_orphans) == ("orphan", True)
            assert action.email
    owned = owners_of(case)
    assert not [action for action in ends(case) if action.person_id is None and action.account_id in owned]


@so_many(100, 6_000)
@given(cases())
def test_what_the_rules_give_nobody_revokes(case: Case) -> None:
    for action in case.writes:
        if action.kind is Kind.REVOKE and action.entitlement:
            target = case.policy.target_for(person_of(case, action) or case.people[0])
            key = (action.entitlement.kind, action.entitlement.id)
            assert target is not None
            assert key in case.policy.managed
            assert key not in target.grants


@so_many(100, 8_000)
@given(cases())
def test_who_is_set_apart_is_in_no_action_that_writes(case: Case) -> None:
    accounts = {account.id: account for account in case.accounts}
    uncertain = {held.id for found in case.matches if isinstance(found, Ambiguous) for held in found.accounts}
    for action in case.writes:
        person, account = person_of(case, action), accounts.get(action.account_id or "")
        named = {email_key(action.email), *(person.keys if person else ())}
        assert not named & case.policy.marks.keys()
        assert case.policy.manages(account.email if account else action.email)
        assert action.account_id not in uncertain
        assert account is None or not (account.is_service or account.managed_elsewhere)


@so_many(100, 5_000)
@given(cases())
def test_every_account_is_ended_once_and_nobody_is_invited_twice(case: Case) -> None:
    ended = [action.account_id for action in case.writes if action.kind in ENDING]
    invited = [action.person_id for action in case.writes if action.kind is Kind.INVITE]
    assert (len(set(ended)), len(set(invited))) == (len(ended), len(invited))


@so_many(100, 8_000)
@given(cases(), st.integers(0, 2**32))
def test_the_order_of_people_and_accounts_does_not_change_the_plan(case: Case, seed: int) -> None:
    shuffled = random.Random(seed)
    people, accounts = list(case.people), list(case.accounts)
    shuffled.shuffle(people)
    shuffled.shuffle(accounts)
    other = Case(tuple(people), tuple(accounts), case.policy, case.links, case.left)
    assert other.lines == case.lines


@st.composite
def judged(draw: st.DrawFn) -> tuple[Case, Facts, Limits, Verdict]:
    case = draw(cases())
    known, allowed = draw(facts(case)), draw(limits)
    return case, known, allowed, assess(case.lines, known, allowed)


def may_happen(case: Case, verdict: Verdict) -> list[Action]:
    """What is carried out, at once or after an approval."""
    return [
        action
        for (action, _), (decision, _) in zip(case.lines, verdict.decisions, strict=True)
        if action.writes and decision in (Decision.PLANNED, Decision.HELD)
    ]


def will_happen(case: Case, verdict: Verdict) -> list[Action]:
    """What nobody is asked about."""
    return [
        action
        for (action, _), (decision, _) in zip(case.lines, verdict.decisions, strict=True)
        if action.writes and decision is Decision.PLANNED
    ]


@so_many(100, 5_000)
@given(judged())
def test_enough_owners_remain_and_the_keys_owner_loses_nothing(
    judgement: tuple[Case, Facts, Limits, Verdict],
) -> None:
    case, known, allowed, verdict = judgement
    taken = [action for action in may_happen(case, verdict) if action.taking]
    unseated = {action.account_id for action in taken if action.kind in (Kind.REMOVE, Kind.CHANGE_ROLE)}
    assert not unseated & known.owners or len(known.owners - unseated) >= allowed.minimum_owners
    assert known.credential_owner is None or known.credential_owner not in {
        action.account_id for action in taken
    }
    assert known.credential_owner or not unseated & known.owners
    assert not known.protected & {email_key(action.email) for action in may_happen(case, verdict)}


@so_many(100, 5_000)
@given(judged())
def test_what_takes_in_numbers_or_for_the_first_time_waits_for_a_person(
    judgement: tuple[Case, Facts, Limits, Verdict],
) -> None:
    case, known, allowed, verdict = judgement
    happens = will_happen(case, verdict)
    losers = {action.account_id for action in happens if action.taking}
    limit = max(allowed.removal_limit_count, known.accounts * allowed.removal_limit_percent // 100)
    assert not losers or len(losers | known.taken_recently) <= limit
    assert not losers or not (known.first_applying and allowed.hold_first_removals)
    assert not losers or allowed.mode == "manage"
    assert not happens or allowed.mode != "observe"
    if known.members_vanished > max(3, known.members_before * allowed.vanished_percent // 100):
        assert happens == []
    if refuse_job(known, allowed):
        assert may_happen(case, verdict) == []
    for (_, needs), (decision, _) in zip(case.lines, verdict.decisions, strict=True):
        assert needs is None or decision is not Decision.PLANNED or verdict.decisions[needs][0] is decision
