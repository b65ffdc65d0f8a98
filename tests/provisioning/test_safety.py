"""What is refused, held and let through, judged on the whole plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.actions import Action, Kind, Situation
from provisioning.safety import Code, Decision, Facts, Limits, assess
from tests.effort import cases


def removal(place: int, **more) -> Action:
    return Action(
        Kind.REMOVE,
        Situation.LEAVER,
        f"p{place}@x.org",
        account_id=f"user-{place}",
        person_id=place,
        taking=True,
        **more,
    )


def invitation(place: int) -> Action:
    return Action(Kind.INVITE, Situation.JOINER, f"n{place}@x.org", person_id=100 + place, role="reader")


def demotion(place: int) -> Action:
    return Action(
        Kind.CHANGE_ROLE,
        Situation.MOVER,
        f"p{place}@x.org",
        account_id=f"user-{place}",
        person_id=place,
        role="reader",
        taking=True,
    )


def facts(**more) -> Facts:
    known: dict = {"active_people": 50, "accounts": 20, "owners": frozenset(), "credential_owner": "user-key"}
    return Facts(**(known | more))


def judged(actions: list[Action], known: Facts | None = None, **limits):
    return assess([(action, None) for action in actions], known or facts(), Limits(**limits))


def decisions(verdict) -> list[str]:
    return [str(decision) for decision, _ in verdict.decisions]


def codes(verdict) -> list[str]:
    return [str(reason.code) for reason in verdict.holds]


def test_an_empty_directory_refuses_the_job():
    verdict = judged([invitation(1)], facts(active_people=0))
    assert verdict.refusal is not None
    assert verdict.refusal.code is Code.DIRECTORY_EMPTY
    assert decisions(verdict) == ["skipped"]


@pytest.mark.parametrize(
    ("before", "now", "refused"),
    [(100, 80, False), (100, 79, True), (5, 2, False), (5, 1, True), (10, 12, False)],
)
def test_a_source_that_shrank_past_its_guard_refuses_the_job(before, now, refused):
    verdict = judged([], facts(sources_before={"hr": before}, sources_now={"hr": now}))
    assert (verdict.refusal is not None) == refused
    if verdict.refusal:
        assert verdict.refusal.code is Code.SOURCE_SHRUNK
        assert f"from {before} to {now}" in verdict.refusal.detail


def test_a_source_that_is_gone_altogether_refuses_the_job():
    assert judged([], facts(sources_before={"hr": 30}, sources_now={})).refusal is not None


@pytest.mark.parametrize(("removals", "held"), [(3, False), (4, True)])
def test_up_to_three_takings_need_no_approval_however_small_the_organization(removals, held):
    verdict = judged([removal(place) for place in range(removals)])
    assert codes(verdict) == (["removal_limit"] if held else [])
    assert decisions(verdict) == ["held" if held else "planned"] * removals


def test_the_limit_grows_with_the_organization():
    ten = [removal(place) for place in range(10)]
    assert codes(judged(ten, facts(accounts=100))) == []
    assert codes(judged(ten, facts(accounts=99))) == ["removal_limit"]


def test_the_hold_says_how_many_of_how_many():
    [reason] = judged([removal(place) for place in range(7)]).holds
    assert reason.as_json() == {
        "code": "removal_limit",
        "detail": "7 of 20 accounts would lose access, the limit is 3",
    }


def test_takings_of_the_last_day_count_together_with_those_of_the_plan():
    recent = frozenset({"user-91", "user-92"})
    assert codes(judged([removal(1)], facts(taken_recently=recent))) == []
    assert codes(judged([removal(1), removal(2)], facts(taken_recently=recent))) == ["removal_limit"]


def test_demotions_withdrawals_and_revocations_count_like_removals():
    withdrawal = Action(Kind.WITHDRAW_INVITE, Situation.LEAVER, "a@x.org", account_id="invite-1", taking=True)
    revocation = Action(
        Kind.REVOKE, Situation.MOVER, "b@x.org", account_id="user-8", person_id=8, taking=True
    )
    verdict = judged([removal(1), demotion(2), withdrawal, revocation])
    assert codes(verdict) == ["removal_limit"]


def test_several_takings_from_one_account_count_once():
    revocations = [
        Action(Kind.REVOKE, Situation.MOVER, "b@x.org", account_id="user-8", person_id=8, taking=True)
        for _ in range(5)
    ]
    assert codes(judged(revocations)) == []


def test_over_the_limit_what_gives_goes_on_unless_everything_is_to_wait():
    plan = [invitation(1), *(removal(place) for place in range(4))]
    assert decisions(judged(plan)) == ["planned"] + ["held"] * 4
    assert decisions(judged(plan, hold_everything_over_limit=True)) == ["held"] * 5


def test_any_taking_of_the_first_applying_job_waits_unless_allowed():
    first = facts(first_applying=True)
    verdict = judged([invitation(1), removal(1)], first)
    assert (codes(verdict), decisions(verdict)) == (["first_removals"], ["planned", "held"])
    assert codes(judged([removal(1)], first, hold_first_removals=False)) == []


def test_accounts_that_vanished_in_numbers_hold_the_whole_job():
    verdict = judged([invitation(1)], facts(members_before=20, members_vanished=5))
    assert (codes(verdict), decisions(verdict)) == (["accounts_vanished"], ["held"])
    assert codes(judged([invitation(1)], facts(members_before=20, members_vanished=4))) == []


def test_the_last_owner_stays():
    verdict = judged([removal(1)], facts(owners=frozenset({"user-1"})))
    assert verdict.decisions[0][0] is Decision.REFUSED
    assert verdict.decisions[0][1][0].code is Code.LAST_OWNER


def test_owners_may_go_only_down_to_the_minimum():
    three = facts(owners=frozenset({"user-1", "user-2", "user-3"}))
    plan = [removal(1), demotion(2), removal(3)]
    assert decisions(judged(plan, three)) == ["planned", "planned", "refused"]
    assert decisions(judged(plan, three, minimum_owners=2)) == ["planned", "refused", "refused"]


def test_the_owner_of_the_key_in_use_is_never_touched():
    for action in (removal(1), demotion(1)):
        verdict = judged([action], facts(credential_owner="user-1", owners=frozenset({"user-1", "user-2"})))
        assert verdict.decisions[0][1][0].code is Code.CREDENTIAL_OWNER


def test_no_owner_is_touched_while_the_keys_owner_is_unknown():
    unknown = facts(credential_owner=None, owners=frozenset({"user-1", "user-2"}))
    verdict = judged([removal(1), removal(5)], unknown)
    assert decisions(verdict) == ["refused", "planned"]


def test_an_orphaned_owner_is_refused_by_name():
    orphan = Action(Kind.REMOVE, Situation.ORPHAN, "eve@x.org", account_id="user-9", taking=True)
    verdict = judged([orphan], facts(owners=frozenset({"user-9", "user-2"})))
    assert verdict.decisions[0][1][0].code is Code.ORPHANED_OWNER


def test_a_protected_account_is_refused_even_if_a_plan_names_it():
    verdict = judged([removal(1)], facts(protected=frozenset({"p1@x.org"})))
    assert verdict.decisions[0][1][0].code is Code.PROTECTED


def test_a_refused_action_does_not_stop_the_others_and_does_not_count_against_the_limit():
    plan = [removal(1), removal(2), removal(3), removal(4)]
    verdict = judged(plan, facts(protected=frozenset({"p1@x.org"})))
    assert (decisions(verdict), codes(verdict)) == (["refused", "planned", "planned", "planned"], [])


@pytest.mark.parametrize(
    ("mode", "expected"), [("observe", ["skipped", "skipped"]), ("extend", ["planned", "skipped"])]
)
def test_a_mode_does_no_more_than_it_says(mode, expected):
    assert decisions(judged([invitation(1), removal(1)], mode=mode)) == expected


def test_an_action_shares_the_fate_of_the_one_it_needs():
    withdraw = Action(Kind.WITHDRAW_INVITE, Situation.INVITE_CHANGED, "a@x.org", account_id="i", taking=True)
    plan = [(withdraw, None), (invitation(1), 0)]
    held = assess(plan, facts(first_applying=True), Limits())
    assert decisions(held) == ["held", "held"]
    extending = assess(plan, facts(), Limits(mode="extend"))
    assert decisions(extending) == ["skipped", "skipped"]
    assert extending.decisions[1][1][0].code is Code.NEEDS_ANOTHER


def test_reports_are_never_held_or_refused():
    report = Action(Kind.REPORT, Situation.ORPHAN, "eve@x.org", account_id="user-9")
    known = facts(
        first_applying=True, protected=frozenset({"eve@x.org"}), members_before=9, members_vanished=9
    )
    assert decisions(judged([report], known, mode="observe")) == ["planned"]


def reasons(verdict) -> list[list[str]]:
    return [[str(reason.code) for reason in held_for] for _, held_for in verdict.decisions]


def test_an_action_is_held_for_every_reason_that_there_is():
    known = facts(first_applying=True, members_before=20, members_vanished=5)
    plan = [invitation(9), *(removal(place) for place in range(4))]
    every = ["accounts_vanished", "first_removals", "removal_limit"]
    assert reasons(judged(plan, known)) == [["accounts_vanished"], *[every] * 4]
    over = judged(plan, known, hold_everything_over_limit=True)
    assert reasons(over) == [["accounts_vanished", "removal_limit"], *[every] * 4]


def test_what_needs_a_held_action_is_held_for_its_reasons_as_well():
    withdraw = Action(Kind.WITHDRAW_INVITE, Situation.INVITE_CHANGED, "a@x.org", account_id="i", taking=True)
    plan = [(withdraw, None), (invitation(1), 0)]
    known = facts(first_applying=True, members_before=20, members_vanished=5)
    assert reasons(assess(plan, known, Limits())) == [["accounts_vanished", "first_removals"]] * 2


def test_a_taking_that_needs_what_gives_keeps_its_own_reasons():
    grant = Action(Kind.GRANT, Situation.MOVER, "p1@x.org", account_id="user-1", person_id=1)
    known = facts(first_applying=True, members_before=20, members_vanished=5)
    judged_together = assess([(grant, None), (removal(1), 0)], known, Limits())
    assert reasons(judged_together) == [["accounts_vanished"], ["accounts_vanished", "first_removals"]]


places = st.integers(1, 4)
owners = st.frozensets(places.map(lambda place: f"user-{place}"), min_size=1)
takings = st.lists(
    st.builds(lambda act, place: act(place), st.sampled_from([removal, demotion]), places), max_size=6
)


@cases(100, 20_000)
@given(takings, owners, places, st.integers(1, 3), st.booleans())
def test_enough_owners_remain_whatever_a_plan_asks_for(plan, owners, key, minimum, first):
    """After everything that is done at once or after an approval."""
    known = facts(owners=owners, credential_owner=f"user-{key}", first_applying=first)
    verdict = judged(plan, known, minimum_owners=minimum)
    possible = zip(plan, decisions(verdict), strict=True)
    unseated = {action.account_id for action, decision in possible if decision in ("planned", "held")}
    assert f"user-{key}" not in unseated
    assert not unseated & owners or len(owners - unseated) >= minimum


@cases(100, 20_000)
@given(
    st.lists(st.tuples(st.sampled_from([removal, demotion, invitation]), places, st.booleans()), max_size=6),
    st.sampled_from(["observe", "extend", "manage"]),
    st.booleans(),
    st.integers(0, 3),
)
def test_no_action_goes_ahead_of_the_one_that_it_needs(some, mode, first, limit):
    plan: list[tuple[Action, int | None]] = []
    for act, place, needs_the_last in some:
        free = needs_the_last and plan and plan[-1][1] is None
        plan.append((act(place), len(plan) - 1 if free else None))
    known = facts(first_applying=first, protected=frozenset({"p2@x.org"}))
    verdict = assess(plan, known, Limits(mode=mode, removal_limit_count=limit, removal_limit_percent=0))
    became = decisions(verdict)
    for (_, needs), decision in zip(plan, became, strict=True):
        assert needs is None or decision != "planned" or became[needs] == "planned"
        assert needs is None or decision != "held" or became[needs] in ("planned", "held")
