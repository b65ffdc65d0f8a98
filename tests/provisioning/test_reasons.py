"""Each line of a plan says why it is there, from what the directory's history tells."""

from datetime import date
from typing import Any

import pytest
from django.utils import timezone

from directory import revising
from directory.models import Group, Membership, Person, take_snapshot
from directory.snapshot import Person as PersonValue
from integrations.connectors.base import Account
from provisioning import because, drafting, recollecting
from provisioning.models import Action
from provisioning.planning import Left, Planner
from provisioning.policy import Policy
from provisioning.reasons import Ground, Past, Revised, Why, find_reasons
from tests.provisioning.builders import (
    ENGINEERING,
    SALES,
    SEARCH,
    gives,
    grant,
    invite,
    lapsed,
    member,
    person,
    planned,
    policy,
    rule,
)
from tests.provisioning.world import World

TODAY = date(2026, 3, 10)
NAMES = {ENGINEERING: "engineering", SALES: "sales"}
BUILD = rule("reader", gives(SEARCH), group=ENGINEERING, name="Engineers build")
SELL = rule("reader", group=SALES, name="Sales read")
ENTERED = Revised("2026-01-05T09:00:00+00:00", "people.csv", {"active": [None, True], "groups": [None, []]})


def revised(day: str, **fields: Any) -> Revised:
    return Revised(f"{day}T09:00:00+00:00", "okta", fields)


def why(
    somebody: PersonValue,
    account: Account | None,
    by: Policy,
    *revisions: Revised,
    left: Left | None = None,
    active: bool = True,
    **dates: date,
) -> list[str]:
    """The sentence of each line of the plan about one person; the newest revision comes first."""
    kept = {account.id: left} if account and left else {}
    ground = Ground(
        by,
        kept,
        NAMES,
        {somebody.id: somebody},
        {somebody.id: Past(active, **dates, revisions=revisions)},
        TODAY,
    )
    lines = planned([somebody], [account] if account else [], by, left=kept)
    return [because.in_words(find_reasons(line, ground)) for line in lines if line.writes]


def test_a_leaver_is_told_by_the_group_that_they_left() -> None:
    left = revised("2026-03-03", groups=[["engineering", "staff"], ["staff"]])
    earlier = revised("2026-02-01", groups=[["engineering", "lunch", "staff"], ["engineering", "staff"]])

    said = why(person("ada@x.org"), member("ada@x.org"), policy(BUILD), left, earlier, ENTERED)

    assert said == ["Left engineering on 3 Mar 2026 (okta); no rule gives access any more."]


def test_a_leaver_whose_groups_did_not_change_is_told_by_the_rules_alone() -> None:
    said = why(person("ada@x.org"), member("ada@x.org"), policy(BUILD), ENTERED)

    assert said == ["No rule gives access any more."]


@pytest.mark.parametrize(
    ("past", "revisions", "sentence"),
    [
        (
            {"active": False},
            [revised("2026-03-03", active=[True, False]), ENTERED],
            "Set inactive in the directory on 3 Mar 2026 (okta).",
        ),
        ({"active": False}, [], "Not active in the directory."),
        ({"end_date": date(2026, 3, 9)}, [ENTERED], "Their end date 9 Mar 2026 has passed."),
        ({"start_date": date(2026, 4, 1)}, [ENTERED], "Their first day is 1 Apr 2026."),
    ],
)
def test_who_is_not_active_is_told_by_what_made_them_so(
    past: dict[str, Any], revisions: list[Revised], sentence: str
) -> None:
    somebody = person("ada@x.org", active=False, groups=(ENGINEERING,))

    assert why(somebody, member("ada@x.org"), policy(BUILD), *revisions, **past) == [sentence]


def test_a_joiner_is_told_by_the_group_that_they_joined_and_the_rule() -> None:
    joined = revised("2026-02-02", groups=[["staff"], ["engineering", "staff"]])
    unrelated = revised("2026-02-20", groups=[["engineering", "staff"], ["engineering", "lunch", "staff"]])

    said = why(person("ada@x.org", groups=(ENGINEERING,)), None, policy(BUILD), unrelated, joined, ENTERED)

    assert said == [
        "Joined engineering on 2 Feb 2026 (okta); the rule Engineers build gives the role reader."
    ]


def test_a_joiner_who_is_new_is_told_by_when_they_were_entered() -> None:
    new = Revised(
        "2026-03-02T09:00:00+00:00", "hr.csv", {"active": [None, True], "groups": [None, ["sales"]]}
    )

    said = why(person("ada@x.org", groups=(SALES,)), None, policy(SELL), new)

    assert said == [
        "Entered into the directory with the group sales on 2 Mar 2026 (hr.csv); the rule Sales read gives "
        "the role reader."
    ]


def test_a_joiner_whose_first_day_has_come_is_told_by_it() -> None:
    said = why(
        person("ada@x.org", groups=(SALES,)), None, policy(SELL), ENTERED, start_date=date(2026, 3, 10)
    )

    assert said == [
        "Entered into the directory on 5 Jan 2026 (people.csv); their first day was 10 Mar 2026; the rule "
        "Sales read gives the role reader."
    ]


def test_a_mover_is_given_and_denied_by_what_changed() -> None:
    moved = revised("2026-03-04", groups=[["sales"], ["engineering"]])
    reader = Left("reader", frozenset())
    joins = why(
        person("ada@x.org", groups=(ENGINEERING,)),
        member("ada@x.org"),
        policy(BUILD, SELL),
        moved,
        left=reader,
    )
    held = Left("reader", frozenset({grant(SEARCH)}))
    leaves = why(
        person("ada@x.org", groups=(SALES,)),
        member("ada@x.org", "reader", grant(SEARCH)),
        policy(BUILD, SELL),
        revised("2026-03-04", groups=[["engineering"], ["sales"]]),
        left=held,
    )

    assert joins == [
        "Joined engineering on 4 Mar 2026 (okta); the rule Engineers build gives the project Search as "
        "member."
    ]
    assert leaves == ["Left engineering on 4 Mar 2026 (okta); no rule gives the project Search any more."]


def test_what_no_change_of_a_person_explains_was_changed_in_the_rules() -> None:
    held = Left("reader", frozenset({grant(SEARCH)}))
    other = rule("reader", gives(SEARCH), group=99, name="Elsewhere")

    said = why(
        person("ada@x.org", groups=(SALES,)),
        member("ada@x.org", "reader", grant(SEARCH)),
        policy(SELL, other),
        ENTERED,
        left=held,
    )

    assert said == [
        "The directory tells of no such change, so the access rules have changed; no rule gives the project "
        "Search any more."
    ]


def test_drift_names_what_was_left_and_what_was_found() -> None:
    drifted = why(
        person("ada@x.org", groups=(SALES,)),
        member("ada@x.org", "owner"),
        policy(SELL),
        left=Left("reader", frozenset()),
    )
    unknown = why(person("ada@x.org", groups=(SALES,)), member("ada@x.org", "owner"), policy(SELL))

    rest = "the rule Sales read gives the role reader."
    assert drifted == [
        f"Somebody changed it in the organization: Cakewalk left reader, and found owner; {rest}"
    ]
    assert unknown == [f"It was so before Cakewalk came, and never in step; {rest}"]


def test_invites_that_lapsed_or_say_something_else_are_told_so() -> None:
    somebody = person("ada@x.org", groups=(SALES,))

    [withdrawn, again] = why(somebody, lapsed("ada@x.org"), policy(SELL))
    [_, replaced] = why(somebody, invite("ada@x.org", "owner"), policy(SELL))

    assert withdrawn.startswith("The invite lapsed before it was accepted; the rule Sales read")
    assert again == "The invite lapsed before it was accepted; the rule Sales read gives the role reader."
    assert replaced.startswith("The open invite no longer says what the rules give; the rule Sales read")


def test_every_code_has_its_words() -> None:
    facts: dict[str, Any] = {
        "at": "2026-03-03T09:00:00+00:00",
        "by": "okta",
        "date": "2026-03-03",
        "group": "engineering",
    }
    facts |= {"was": "reader", "now": None, "kind": "project", "name": "Search", "role": "member"}

    said = {code: because.in_words([{"code": code, "rules": ["R"], **facts}]) for code in Why}

    assert all(said.values())
    assert because.in_words([{"code": "of a later version"}]) == ""


def test_names_are_set_apart_and_are_never_markup() -> None:
    reasons = [
        {"code": "left_group", "group": "<b>x</b>", "at": "2026-03-03T09:00:00+00:00", "by": "<i>hr</i>"}
    ]

    assert because.in_html(reasons) == (
        "Left <em>&lt;b&gt;x&lt;/b&gt;</em> on 3 Mar 2026 (&lt;i&gt;hr&lt;/i&gt;)."
    )


# -- a whole job


def test_a_job_keeps_why_as_it_was_when_it_was_planned(world: World) -> None:
    world.rule("Staff", group="staff")
    world.hire_all([f"p{place}@example.org" for place in range(8)], "staff")
    ada = world.hire("ada@example.org", "staff")
    world.organization.add_member("ada@example.org")
    _leave(ada, "staff")

    document = world.preview()
    Group.objects.filter(name="staff").update(name="renamed")

    row = Action.objects.get(job=document["job"], email="ada@example.org", kind="remove")
    day = timezone.localdate()
    assert because.in_words(row.reasons) == (
        f"Left staff on {day.day} {day:%b %Y} (olga, in the admin); no rule gives access any more."
    )
    [line] = [action for action in document["actions"] if action["email"] == "ada@example.org"]
    assert [reason["code"] for reason in line["reasons"]] == ["left_group", "no_rule"]


def test_the_history_is_asked_as_often_for_ten_people_as_for_one(
    world: World, django_assert_num_queries: Any
) -> None:
    world.hire_all([f"p{place}@example.org" for place in range(10)], "staff")
    world.rule("Staff", group="staff")
    by = policy(rule(group=Group.objects.get(name="staff").pk, name="Staff"))
    directory = take_snapshot(timezone.now())
    planner = Planner(by)
    lines = [(line, None) for line in planned(list(directory.people), [], by)]

    for number in (1, 10):
        plan = drafting.Draft(tuple(lines[:number]), (), frozenset())
        with django_assert_num_queries(3):
            recollecting.reasons_of(plan, planner, None, directory, today=TODAY)


def _leave(somebody: Person, group: str) -> None:
    before = revising.known([somebody.pk])
    Membership.objects.filter(person=somebody, group__name=group).delete()
    revising.note(before, [somebody.pk], by="olga, in the admin", now=timezone.now())
