"""A plan in words: what a sync would do, what waits, what is beyond the mode, and what is only reported."""

import pytest

from provisioning import history
from provisioning.summary import Counted, deeds, sentences
from tests.admin.builders import action, integration, job
from tests.provisioning.world import World


def some(number: int, kind: str, situation: str = "joiner", state: str = "planned", **more) -> Counted:
    return Counted(kind, situation, state, **{"reason": "", "proposed": False, "number": number, **more})


def test_a_plan_says_with_numbers_what_a_sync_would_do_and_what_it_only_reports():
    plan = [
        some(2, "remove", "leaver"),
        some(4, "report", "orphan", "done"),
        some(12, "invite"),
        some(3, "change_role", "mover"),
    ]
    assert sentences(plan, "manage") == [
        "A sync would invite 12 people, change the role of 3 accounts and remove 2 accounts.",
        "4 accounts belong to nobody in the directory and are only reported.",
    ]


def test_one_of_each_is_said_in_the_singular():
    kinds = (
        "create",
        "invite",
        "change_role",
        "grant",
        "change_grant",
        "revoke",
        "withdraw_invite",
        "remove",
    )
    assert deeds([some(1, kind) for kind in (*kinds, "revoke_key")]) == (
        "create 1 project or group, invite 1 person, change the role of 1 account, give 1 project or group, "
        "change 1 role in a project, take away 1 project or group, withdraw 1 invite, remove 1 account and "
        "revoke 1 key"
    )


def test_an_invite_that_is_withdrawn_to_be_sent_anew_is_one_thing():
    plan = [some(2, "withdraw_invite", "invite_changed"), some(2, "invite", "invite_changed")]
    assert sentences(plan, "manage") == ["A sync would send 2 invites anew."]


def test_what_only_the_mode_prevents_is_told_with_the_mode_that_would_do_it():
    beyond = {"state": "skipped", "reason": "mode"}
    plan = [some(12, "invite", **beyond), some(1, "remove", "leaver", **beyond)]
    assert sentences(plan, "observe") == [
        "In mode observe it changes nothing. In mode manage it would invite 12 people and remove 1 account."
    ]
    assert sentences([some(3, "invite"), plan[1]], "extend") == [
        "A sync would invite 3 people.",
        "In mode extend it takes nothing away. In mode manage it would also remove 1 account.",
    ]


def test_what_waits_is_refused_left_out_or_only_proposed_is_counted_apart():
    plan = [
        some(5, "remove", "leaver", "held", reason="first_removals"),
        some(1, "remove", "leaver", "refused", reason="last_owner"),
        some(2, "invite", "invite_changed", "skipped", reason="needs_another"),
        some(7, "grant", state="skipped", reason="proposed", proposed=True),
    ]
    assert sentences(plan, "manage") == [
        "It would wait for an approver before it does the following: remove 5 accounts.",
        "1 action is refused, whatever the mode; its line says why.",
        "2 actions are left out; their lines say why.",
        "7 more actions would follow if the proposed rules were active.",
    ]


def test_an_empty_plan_says_that_nothing_would_change():
    assert sentences([], "manage") == [
        "A sync would change nothing: every account is as the access rules say."
    ]


def test_a_finding_without_words_of_its_own_is_passed_over_by_nobody():
    assert sentences([some(3, "report", "no_address", "done")], "manage") == [
        "A sync would change nothing.",
        "3 more findings are only reported.",
    ]


@pytest.mark.django_db
def test_the_lines_of_a_plan_are_counted_by_how_they_fare():
    plan = job(integration())
    action(plan, "invite", "planned")
    action(plan, "invite", "planned")
    action(plan, "remove", "skipped", error={"code": "mode", "detail": "…"})
    assert sorted(history.counted(plan)) == [
        Counted("invite", "joiner", "planned", "", False, 2),
        Counted("remove", "leaver", "skipped", "mode", False, 1),
    ]


@pytest.mark.django_db
def test_a_preview_of_a_real_organization_is_told_in_words(world: World):
    world.hire_all([f"p{place}@example.org" for place in range(3)], "staff")
    world.rule("Staff", group="staff")
    world.organization.add_member("stranger@example.org")
    world.preview()
    plan = world.integration.jobs.get()
    assert sentences(history.counted(plan), plan.mode) == [
        "A sync would invite 3 people.",
        "1 account belongs to nobody in the directory and is only reported.",
    ]
