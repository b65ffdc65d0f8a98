"""What is done about each person and account, and why."""

import pytest

from integrations.connectors.base import Account, AccountState, Entitlement
from provisioning.actions import Kind, Situation
from provisioning.matching import Links, match
from provisioning.planning import Left, Planner
from tests.provisioning.builders import (
    ENGINEERING,
    PLATFORM,
    SALES,
    SEARCH,
    VOICE,
    gives,
    grant,
    invite,
    lapsed,
    mark,
    member,
    person,
    plan_of,
    planned,
    policy,
    rule,
    told,
)

ENGINEERS = rule("reader", gives(SEARCH), group=ENGINEERING, name="Engineers build in Search")


def test_joiner_is_invited_with_the_projects_of_the_rules():
    ada = person("ada@x.org", groups=(ENGINEERING,))
    [action] = planned([ada], [], policy(ENGINEERS))
    assert (action.kind, action.situation, action.email) == (Kind.INVITE, Situation.JOINER, "ada@x.org")
    assert action.after == {"role": "reader", "projects": [{"name": "Search", "role": "member"}]}
    assert action.grants == (grant(SEARCH),)
    assert action.rule == "Engineers build in Search"


def test_a_joiners_groups_wait_until_the_invite_is_accepted():
    ada = person("ada@x.org", groups=(ENGINEERING,))
    by = policy(rule("reader", gives(PLATFORM), group=ENGINEERING))
    [action] = planned([ada], [], by)
    assert action.grants == ()
    accepted = plan_of([ada], [member("ada@x.org")], by)
    assert accepted == [("grant", "drift", "ada@x.org", "member", "platform")]


def test_without_a_rule_there_is_no_access():
    assert planned([person("ada@x.org", groups=(SALES,))], [], policy(ENGINEERS)) == []


def test_the_highest_role_of_all_rules_wins_and_grants_add_up():
    ada = person("ada@x.org", groups=(ENGINEERING, SALES))
    sales = rule("reader", gives(SEARCH, "owner"), gives(VOICE), group=SALES, name="Sales")
    [action] = planned([ada], [], policy(ENGINEERS, sales))
    assert action.grants == (grant(SEARCH, "owner"), grant(VOICE))
    assert action.rule == "Engineers build in Search, Sales"


def test_someone_with_just_what_the_rules_give_needs_nothing():
    ada = person("ada@x.org", groups=(ENGINEERING,))
    assert planned([ada], [member("ada@x.org", "reader", grant(SEARCH))], policy(ENGINEERS)) == []


def test_a_role_that_differs_is_changed_and_a_demotion_is_a_taking():
    ada, bob = person("ada@x.org", id=1), person("bob@x.org", id=2)
    by = policy(rule("reader"), rule("owner", group=ENGINEERING))
    raised = planned([person("ada@x.org", groups=(ENGINEERING,))], [member("ada@x.org")], by)
    lowered = planned([bob], [member("bob@x.org", "owner")], by)
    assert [(a.kind, a.role, a.taking) for a in raised] == [(Kind.CHANGE_ROLE, "owner", False)]
    assert [(a.kind, a.role, a.taking) for a in lowered] == [(Kind.CHANGE_ROLE, "reader", True)]
    assert ada.email == raised[0].email


def test_a_mover_loses_the_projects_of_the_old_group_and_gains_those_of_the_new():
    by = policy(ENGINEERS, rule("reader", gives(VOICE), group=SALES, name="Sales speaks"))
    ada = person("ada@x.org", groups=(SALES,))
    account = member("ada@x.org", "reader", grant(SEARCH))
    left = {account.id: Left("reader", frozenset({grant(SEARCH)}))}
    assert plan_of([ada], [account], by, left=left) == [
        ("grant", "mover", "ada@x.org", "member", "Voice"),
        ("revoke", "mover", "ada@x.org", None, "Search"),
    ]


def test_what_somebody_changed_in_the_remote_is_drift():
    ada = person("ada@x.org", groups=(ENGINEERING,))
    account = member("ada@x.org", "reader", grant(SEARCH, "owner"))
    left = {account.id: Left("reader", frozenset({grant(SEARCH)}))}
    [action] = planned([ada], [account], policy(ENGINEERS), left=left)
    assert (action.kind, action.situation) == (Kind.CHANGE_GRANT, Situation.DRIFT)
    assert (action.before, action.after, action.taking) == ({"role": "owner"}, {"role": "member"}, True)


def test_projects_that_no_rule_names_are_left_as_they_are():
    ada = person("ada@x.org", groups=(ENGINEERING,))
    account = member("ada@x.org", "reader", grant(SEARCH), grant(VOICE, "owner"))
    assert planned([ada], [account], policy(ENGINEERS)) == []


def test_an_owner_holds_projects_by_being_one_so_none_is_granted_or_revoked():
    by = policy(rule("owner", gives(SEARCH), group=ENGINEERING))
    ada = person("ada@x.org", groups=(ENGINEERING,))
    assert planned([ada], [member("ada@x.org", "owner", grant(SEARCH, "owner"))], by) == []
    [invited] = planned([ada], [], by)
    assert invited.grants == ()


def test_a_former_owner_is_given_projects_only_after_the_demotion():
    by = policy(ENGINEERS)
    ada = person("ada@x.org", groups=(ENGINEERING,))
    first, second = planned([ada], [member("ada@x.org", "owner")], by)
    assert (first.kind, second.kind) == (Kind.CHANGE_ROLE, Kind.GRANT)


def test_what_an_owner_does_not_hold_by_being_one_waits_for_no_demotion():
    by = policy(rule("reader", gives(SEARCH), gives(PLATFORM)))
    chains = Planner(by).plan(match([person("ada@x.org")], [member("ada@x.org", "owner")], Links()))
    assert [[told(action)[0::4] for action in chain] for chain in chains] == [
        [("grant", "platform")],
        [("change_role", None), ("grant", "Search")],
    ]


def test_an_account_without_an_address_is_only_ever_reported():
    assert plan_of([], [member(None, id="user-1")], policy(remove_orphans=True)) == [
        ("report", "orphan", "", None, None)
    ]


def test_a_mark_on_any_address_of_a_person_keeps_their_account():
    gone = person("ada@x.org", "countess@x.org", active=False)
    found = plan_of([gone], [member("countess@x.org")], policy(marks=mark("protected", "ada@x.org")))
    assert found == [("report", "protected", "countess@x.org", None, None)]
    here = person("ada@x.org", "countess@x.org")
    assert plan_of([here], [], policy(marks=mark("ignored", "countess@x.org"))) == [
        ("report", "ignored", "ada@x.org", None, None)
    ]


def test_a_custom_role_of_someone_entitled_to_the_lowest_role_is_left():
    assert planned([person("ada@x.org")], [member("ada@x.org", "auditor")]) == []
    assert planned([person("ada@x.org")], [member("ada@x.org", None)]) == []


def test_leaver_is_removed_and_the_picture_before_is_kept():
    gone, account = person("ada@x.org", active=False), member("ada@x.org", "reader", grant(SEARCH))
    [action] = planned([gone], [account], policy(ENGINEERS))
    assert (action.kind, action.situation, action.taking) == (Kind.REMOVE, Situation.LEAVER, True)
    assert action.before == {
        "state": "active",
        "role": "reader",
        "projects": [{"name": "Search", "role": "member"}],
    }


def test_leaver_with_an_open_invite_has_it_withdrawn():
    gone, invited = person("ada@x.org", active=False), invite("ada@x.org")
    assert plan_of([gone], [invited]) == [("withdraw_invite", "leaver", "ada@x.org", None, None)]


def test_a_leavers_lapsed_invite_is_cleared_away_and_takes_nothing_from_anyone():
    [action] = planned([person("ada@x.org", active=False)], [lapsed("ada@x.org")])
    assert (action.kind, action.taking) == (Kind.WITHDRAW_INVITE, False)


def test_an_open_invite_that_says_too_little_is_replaced():
    ada = person("ada@x.org", groups=(ENGINEERING,))
    withdraw, again = planned([ada], [invite("ada@x.org")], policy(ENGINEERS))
    assert (withdraw.kind, withdraw.situation) == (Kind.WITHDRAW_INVITE, Situation.INVITE_CHANGED)
    assert (again.kind, again.grants) == (Kind.INVITE, (grant(SEARCH),))


def test_a_replaced_invite_keeps_the_projects_that_are_not_ours_to_manage():
    ada = person("ada@x.org", groups=(ENGINEERING,))
    _, again = planned([ada], [invite("ada@x.org", "reader", grant(VOICE))], policy(ENGINEERS))
    assert again.grants == (grant(SEARCH), grant(VOICE))


def test_an_open_invite_that_says_the_right_thing_is_left_alone():
    ada = person("ada@x.org", groups=(ENGINEERING,))
    assert planned([ada], [invite("ada@x.org", "reader", grant(SEARCH))], policy(ENGINEERS)) == []


def test_an_open_invite_to_an_address_that_is_no_longer_theirs_is_replaced():
    """Whoever has the old address now could accept it."""
    ada = person("ada.king@x.org", id=1, groups=(ENGINEERING,))
    invited = invite("ada@x.org")
    chains = planned([ada], [invited], links=Links(found={invited.id: 1}))
    assert [(action.kind, action.email) for action in chains] == [
        (Kind.WITHDRAW_INVITE, "ada@x.org"),
        (Kind.INVITE, "ada.king@x.org"),
    ]


def test_a_lapsed_invite_of_someone_entitled_is_renewed_unless_that_is_switched_off():
    ada = person("ada@x.org")
    assert plan_of([ada], [lapsed("ada@x.org")]) == [
        ("withdraw_invite", "invite_expired", "ada@x.org", None, None),
        ("invite", "invite_expired", "ada@x.org", "reader", None),
    ]
    assert plan_of([ada], [lapsed("ada@x.org")], policy(renew_invites=False)) == [
        ("report", "invite_expired", "ada@x.org", None, None)
    ]


def test_an_orphan_is_reported_and_removed_only_where_the_integration_says_so():
    orphan = member("eve@x.org")
    assert plan_of([], [orphan]) == [("report", "orphan", "eve@x.org", None, None)]
    assert plan_of([], [orphan], policy(remove_orphans=True)) == [
        ("remove", "orphan", "eve@x.org", None, None)
    ]


def test_an_orphaned_owner_is_only_ever_reported():
    owner = member("eve@x.org", "owner")
    assert plan_of([], [owner], policy(remove_orphans=True)) == [
        ("report", "orphan", "eve@x.org", None, None)
    ]


def test_protected_and_ignored_accounts_are_said_and_not_touched():
    gone, account = person("ada@x.org", active=False), member("Ada@x.org", "owner")
    for kind in ("protected", "ignored"):
        found = plan_of([gone], [account], policy(marks=mark(kind, "ada@x.org")))
        assert found == [("report", kind, "Ada@x.org", None, None)]


def test_a_marked_address_is_not_invited_either():
    found = plan_of([person("ada@x.org")], [], policy(marks=mark("ignored", "ada@x.org")))
    assert found == [("report", "ignored", "ada@x.org", None, None)]


def test_accounts_that_another_system_feeds_are_said_and_not_touched():
    gone, account = person("ada@x.org", active=False), member("ada@x.org", managed_elsewhere=True)
    assert plan_of([gone], [account]) == [("report", "managed_elsewhere", "ada@x.org", None, None)]


def test_addresses_outside_the_managed_domains_are_said_and_not_touched():
    guest, gone = person("guest@y.org"), person("old@y.org", active=False)
    found = plan_of([guest, gone], [member("old@y.org")], policy(managed_domains=frozenset({"x.org"})))
    assert found == [
        ("report", "outside_domains", "guest@y.org", None, None),
        ("report", "outside_domains", "old@y.org", None, None),
    ]


@pytest.mark.parametrize("there", [invite("ada@x.org", "owner"), lapsed("ada@x.org")])
def test_an_invite_inside_the_managed_domains_is_not_replaced_by_one_outside(there):
    ada = person("ada@private.org", "ada@x.org")
    inside = policy(managed_domains=frozenset({"x.org"}))
    assert plan_of([ada], [there], inside) == [("report", "outside_domains", "ada@x.org", None, None)]
    gone = person("ada@private.org", "ada@x.org", active=False)
    assert plan_of([gone], [there], inside) == [("withdraw_invite", "leaver", "ada@x.org", None, None)]


def test_two_accounts_of_one_person_are_reported_and_nothing_is_done():
    ada = person("ada@x.org", "countess@x.org", active=False)
    [action] = planned([ada], [member("ada@x.org"), member("countess@x.org")])
    assert (action.kind, action.situation) == (Kind.REPORT, Situation.AMBIGUOUS)
    assert "ada@x.org, countess@x.org" in action.detail


def test_a_project_that_a_rule_names_and_that_is_not_there_is_reported_with_the_rules_name():
    ghost = Entitlement("project", "?", "Ghost")
    ada = person("ada@x.org", groups=(ENGINEERING,))
    found = planned([ada], [], policy(rule("reader", gives(ghost), group=ENGINEERING, name="Haunted")))
    assert [action.kind for action in found] == [Kind.INVITE, Kind.REPORT]
    assert (found[1].rule, found[1].detail) == ("Haunted", "There is no project named 'Ghost'.")


def test_two_projects_of_one_name_are_not_guessed_between():
    twin = Entitlement("project", "proj_twin", "search")
    by = policy(ENGINEERS, entitlements=(SEARCH, twin))
    [report] = planned([], [], by)
    assert report.detail == "There are 2 projects named 'Search'; rename one."


def test_an_entitlement_that_cannot_be_managed_says_why():
    default = Entitlement("project", "proj_default", "Default", unmanageable="it is the default project")
    by = policy(rule("reader", gives(default)), entitlements=(default,))
    [report] = planned([], [], by)
    assert report.detail == "The project 'Default' is left alone: it is the default project."


def test_what_gives_comes_before_what_takes_and_reports_come_last():
    people = [person("new@x.org"), person("old@x.org", active=False)]
    found = plan_of(people, [member("old@x.org"), member("eve@x.org")])
    assert [line[0] for line in found] == ["invite", "remove", "report"]


def test_the_same_facts_make_the_same_plan_in_the_same_order():
    people = [person(f"p{place}@x.org", id=place) for place in range(9)]
    accounts = [
        Account(f"user-{place}", AccountState.ACTIVE, f"q{place}@x.org", "reader") for place in range(9)
    ]
    assert planned(people, accounts) == planned(people[::-1], accounts[::-1])
