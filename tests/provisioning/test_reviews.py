"""Access reviews: what is listed for whom, who may decide, what a finished one takes and what keeps it so."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group as Role
from django.db import connection
from django.utils import timezone

from cakewalk.ledger.models import Entry
from cakewalk.models import User
from directory.models import Group
from directory.time_zones import today
from integrations.models import Integration
from provisioning import requesting
from provisioning.models import Action, Entitlement, Mark, ProvisioningJob
from provisioning.requesting import Refused
from provisioning.reviews import evidence, listing, models, reminding, running, under_way
from provisioning.reviews.models import Assignment, Campaign, Exclusion, Item
from provisioning.reviews.tasks import go_on_with_review, go_on_with_reviews, pick_up_reviews
from tests.provisioning.world import BOSS, World, brief, command

ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.org"
pytestmark = pytest.mark.django_db


@pytest.fixture
def company(world: World) -> World:
    """Ada and Bob build in Search by a rule, Eve is nobody's; all are as the last sync left them."""
    world.organization.add_project("Search")
    for email in (ADA, BOB, EVE):
        world.organization.add_member(email)
    world.hire_all([ADA, BOB], "engineering")
    world.rule("Engineers", group="engineering", Search="member")
    world.approver()
    assert world.sync()["state"] == "succeeded"
    return world


def reviewer(name: str, email: str = "") -> User:
    given = {"email": email or f"{name}@example.org", "is_staff": True}
    user, _is_new = User.objects.get_or_create(username=name, defaults=given)
    user.groups.add(Role.objects.get(name="Reviewer"))
    return user


def review(world: World, *, by: User, name: str = "Q4", **more: Any) -> Campaign:
    given = {"due_on": today() + timedelta(days=14), "default_reviewer": by, **more}
    return Campaign.objects.create(integration=world.integration, name=name, **given)


def opened(world: World, **more: Any) -> Campaign:
    """By Rita, who decides on everything."""
    rita = reviewer("rita")
    campaign = review(world, by=rita, **more)
    running.open_review(campaign, by=User.objects.get(username="alice"))
    return done(campaign)


def done(campaign: Campaign) -> Campaign:
    """What a worker was asked to do with it."""
    under_way.go_on(campaign.pk)
    campaign.refresh_from_db()
    return campaign


def decide(campaign: Campaign, what: str, decision: str, reason: str = "", *, by: str = "rita") -> None:
    """`what`: an e-mail, and after a slash what it holds."""
    email, _, held = what.partition("/")
    item = campaign.items.get(email=email, entitlement_name=held)
    user = User.objects.get(username=by)
    running.decide(campaign, [item.seq], decision, by=user, reason=reason, seen_at=timezone.now())


def finished(campaign: Campaign, reason: str = "Enough.") -> Any:
    """The document of its job, if there is one."""
    running.finish(campaign, by=User.objects.get(username="alice"), reason=reason)
    done(campaign)
    running.ask_for_jobs()
    job = campaign.jobs.order_by("pk").last()
    return carried_out(job) if job else None


def carried_out(job: ProvisioningJob) -> dict[str, Any]:
    from provisioning import reconciliation  # noqa: PLC0415

    reconciliation.run(job.pk)
    return command("job", str(job.pk))[0]


def lines(campaign: Campaign) -> list[tuple[str, str, str]]:
    rows = campaign.items.select_related("reviewer").order_by("seq")
    return [(row.email, row.what, row.reviewer.username) for row in rows]


# -- what is listed, and for whom


def test_a_review_lists_every_account_and_grant_with_the_rules_that_gave_it(company: World) -> None:
    campaign = opened(company)

    shown = [(item.email, item.what, item.given_by, item.standing) for item in campaign.items.order_by("seq")]
    assert shown == [
        (ADA, "Account (reader)", ["Engineers"], ""),
        (ADA, "project Search (member)", ["Engineers"], ""),
        (BOB, "Account (reader)", ["Engineers"], ""),
        (BOB, "project Search (member)", ["Engineers"], ""),
        (BOSS, "Account (owner)", ["Owners"], ""),
        (EVE, "Account (reader)", [], "orphan"),
    ]
    assert campaign.not_covered == ["project Default project"]  # who holds it was never asked
    [entry] = Entry.objects.filter(verb="review.opened")
    assert entry.told()["facts"]["by_reviewer"] == {"rita": 6}


def test_who_knows_the_project_decides_on_it_and_nobody_on_their_own_account(company: World) -> None:
    """Ada reviews her group, Olaf the project, and Rita all else."""
    ada, olaf, rita = reviewer("ada", ADA), reviewer("olaf"), reviewer("rita")
    campaign = review(company, by=rita)
    Assignment.objects.create(campaign=campaign, group=Group.objects.get(name="engineering"), reviewer=ada)
    search = Entitlement.objects.get(name="Search")
    Assignment.objects.create(campaign=campaign, entitlement=search, reviewer=olaf)

    running.open_review(campaign, by=rita)
    done(campaign)

    assert lines(campaign) == [
        (ADA, "Account (reader)", "rita"),
        (ADA, "project Search (member)", "olaf"),
        (BOB, "Account (reader)", "ada"),
        (BOB, "project Search (member)", "olaf"),
        (BOSS, "Account (owner)", "rita"),
        (EVE, "Account (reader)", "rita"),
    ]


@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        ("groups", [(ADA, "Account (reader)"), (ADA, "project Search (member)")]),
        ("entitlements", [(ADA, "project Search (member)"), (BOB, "project Search (member)")]),
    ],
)
def test_a_review_of_some_groups_or_projects_lists_no_more(company: World, scope: str, shown: Any) -> None:
    company.person(ADA).groups.add(team := Group.objects.create(name="team"))
    campaign = review(company, by=reviewer("rita"), scope=scope)
    of = {"group": team} if scope == "groups" else {"entitlement": Entitlement.objects.get(name="Search")}
    Assignment.objects.create(campaign=campaign, **of)

    running.open_review(campaign, by=User.objects.get(username="alice"))
    done(campaign)

    assert [line[:2] for line in lines(campaign)] == shown


def test_what_cannot_be_reviewed_is_refused_by_name_and_nothing_is_opened(company: World) -> None:
    alone = reviewer("eve", EVE)
    campaign = review(company, by=alone)
    alice = User.objects.get(username="alice")

    running.open_review(campaign, by=alice)
    assert f"Nobody but {EVE} would decide about that account" in done(campaign).note
    User.objects.filter(pk=alone.pk).update(email="")
    campaign.default_reviewer.refresh_from_db()
    with pytest.raises(Refused, match="eve has no e-mail address"):
        running.open_review(campaign, by=alice)
    Campaign.objects.update(due_on=today() - timedelta(days=1))
    with pytest.raises(Refused, match="is over"):
        running.open_review(campaign, by=alice)
    pick_up_reviews()
    campaign.refresh_from_db()
    assert (campaign.state, campaign.items.count()) == ("draft", 0)


# -- deciding


def test_to_revoke_needs_a_reason_and_each_decision_is_in_the_ledger(company: World) -> None:
    campaign = opened(company)

    with pytest.raises(Refused, match="To revoke needs a reason"):
        decide(campaign, BOB, "revoke")
    decide(campaign, BOB, "revoke", "Left the team.")
    decide(campaign, BOB, "keep", "No: on leave.")

    numbers = campaign.items.all().in_numbers()
    assert (numbers["all"], numbers["decided"], numbers["keep"], numbers["revoke"]) == (6, 1, 1, 0)
    said = [entry.told() for entry in Entry.objects.filter(verb="review.decided", email=BOB).order_by("seq")]
    assert [(one["before"]["decision"], one["after"]["decision"]) for one in said] == [
        ("", "revoke"),
        ("revoke", "keep"),
    ]


def test_nobody_decides_what_is_not_asked_of_them_or_is_their_own(company: World) -> None:
    campaign = opened(company)
    reviewer("olaf")

    with pytest.raises(Refused, match="not yours to decide"):
        decide(campaign, BOB, "keep", by="olaf")
    User.objects.filter(username="rita").update(email=BOB.upper())  # since the review was opened
    with pytest.raises(Refused, match=f"Nobody decides about their own account: {BOB}"):
        decide(campaign, BOB, "keep")
    User.objects.filter(username="olaf").update(email=EVE)
    rita, olaf = (User.objects.get(username=name) for name in ("rita", "olaf"))
    running.hand_over(campaign, of=rita, to=olaf, by=rita)
    assert "olaf would decide about their own account" in done(campaign).note
    assert campaign.items.of(olaf).count() == 0
    assert campaign.items.all().in_numbers()["decided"] == 0


def test_what_was_decided_since_the_page_was_opened_is_not_overwritten(company: World) -> None:
    campaign, before = opened(company), timezone.now()
    decide(campaign, BOB, "revoke", "Left.")
    rita = User.objects.get(username="rita")

    with pytest.raises(Refused, match="1 of these lines was decided since you opened the page"):
        running.decide(campaign, [1, 3], "keep", by=rita, reason="", seen_at=before)

    assert list(campaign.items.filter(decision="revoke").values_list("email", flat=True)) == [BOB]
    assert campaign.items.all().in_numbers()["decided"] == 1


def test_lines_that_are_handed_over_are_those_without_a_decision(company: World) -> None:
    campaign, olaf = opened(company), reviewer("olaf")
    decide(campaign, BOB, "keep")
    rita = User.objects.get(username="rita")

    running.hand_over(campaign, of=rita, to=olaf, by=rita)
    with pytest.raises(Refused, match="Q4 is being handed over at this moment"):
        decide(campaign, BOSS, "keep")
    done(campaign)

    assert (campaign.items.of(rita).count(), campaign.items.of(olaf).count()) == (1, 5)
    assert campaign.is_open
    [entry] = Entry.objects.filter(verb="review.handed_over")
    assert entry.told()["facts"] == {"lines": 5, "numbers": "1-2, 4-6"}


# -- what a finished review takes


def test_what_was_revoked_waits_for_an_approver_is_taken_and_stays_taken(company: World) -> None:
    campaign = opened(company)
    decide(campaign, ADA, "keep")
    decide(campaign, f"{ADA}/Search", "revoke", "Moved to Voice.")
    decide(campaign, BOB, "revoke", "On another team.")
    decide(campaign, f"{BOB}/Search", "revoke", "On another team.")
    decide(campaign, EVE, "revoke", "Nobody knows her.")

    job = finished(campaign)

    assert (job["state"], job["reviews"]) == ("awaiting_approval", campaign.pk)
    assert job["holds"] == [
        {"code": "access_review", "detail": "3 accounts would lose what the review 'Q4' revokes"}
    ]
    assert brief(job) == [("revoke", ADA, "held"), ("remove", BOB, "held"), ("remove", EVE, "held")]
    assert "Revoked by rita in the access review 'Q4': On another team." in job["actions"][1]["detail"]
    assert "an exception keeps them from giving it again" in job["actions"][1]["detail"]
    assert not Exclusion.objects.in_force().exists()
    assert company.sync()["counts"]["planned"] == 0  # nothing is in force before somebody approves

    done = company.approve(job["job"])

    assert brief(done) == [("revoke", ADA, "done"), ("remove", BOB, "done"), ("remove", EVE, "done")]
    assert company.members() == {ADA, BOSS}
    kept = [(row.person.email, row.what, row.rules) for row in Exclusion.objects.in_force().order_by("pk")]
    assert kept == [(ADA, "project Search", "Engineers"), (BOB, "All access", "Engineers")]
    again = company.sync()
    assert (again["state"], again["counts"]["planned"]) == ("succeeded", 0)
    go_on_with_reviews()
    Action.objects.filter(job=done["job"]).delete()  # as when an old record is pruned
    assert company.sync()["counts"]["planned"] == 0
    assert evidence.document(campaign)["frozen"]


def test_what_somebody_gives_again_by_hand_is_taken_again_and_a_lifted_exception_gives_it(
    company: World,
) -> None:
    campaign = opened(company)
    decide(campaign, BOB, "revoke", "On another team.")
    company.approve(finished(campaign)["job"])
    company.organization.add_member(BOB)

    [action] = company.sync()["actions"][:1]
    assert (action["kind"], action["state"]) == ("remove", "done")
    assert action["detail"] == "Revoked in the access review 'Q4': On another team."
    assert action["reasons"] == [{"code": "excepted", "review": "Q4"}]

    with pytest.raises(Refused, match="needs a reason"):
        running.lift(Exclusion.objects.get(), by=User.objects.get(username="alice"), reason=" ")
    running.lift(Exclusion.objects.get(), by=User.objects.get(username="alice"), reason="He is back.")
    assert brief(company.sync())[0] == ("invite", BOB, "done")
    assert Entry.objects.filter(verb="exception.lifted", email=BOB).count() == 1


def test_a_revocation_that_nobody_approves_excepts_nobody(company: World) -> None:
    campaign = opened(company)
    decide(campaign, BOB, "revoke", "Left.")
    job = ProvisioningJob.objects.get(pk=finished(campaign)["job"])

    requesting.reject(job, by=User.objects.get(username="alice"), reason="He stays.")

    assert company.sync()["counts"]["planned"] == 0
    assert not Exclusion.objects.in_force().exists()
    [told] = [one for one in evidence.document(campaign)["lines"] if one["decision"] == "revoke"]
    assert (told["outcome"], told["outcome_detail"]) == ("skipped", "Rejected by alice: He stays.")
    running.carry_out(campaign, by=User.objects.get(username="alice"))
    running.ask_for_jobs()
    assert campaign.jobs.count() == 2


def test_what_nobody_decided_keeps_its_access_and_is_told_so(company: World) -> None:
    campaign = opened(company)
    decide(campaign, ADA, "keep")

    with pytest.raises(Refused, match="needs a reason"):
        running.finish(campaign, by=User.objects.get(username="alice"), reason="")
    assert finished(campaign, reason="The quarter is over.") is None

    assert company.members() == {ADA, BOB, BOSS, EVE}
    told = evidence.document(campaign)
    assert told["numbers"] == {"lines": 6, "kept": 1, "revoked": 0, "undecided": 5}
    assert {one["decision"] for one in told["lines"]} == {"keep", "undecided"}
    with pytest.raises(Refused, match="finished"):
        decide(campaign, BOB, "keep")


def test_what_is_not_as_the_reviewer_saw_it_is_told_and_not_taken(company: World) -> None:
    dan = "dan@example.org"
    company.organization.add_member(dan)
    company.hire(dan, "engineering")
    company.sync()
    campaign = opened(company)
    for line in (f"{ADA}/Search", BOB, dan):
        decide(campaign, line, "revoke", "Not needed.")
    there = company.organization
    there.change_in_project(there.find_project("Search").id, there.find_user(ADA).id, "owner")
    there.remove_user(there.find_user(dan).id)
    there.set_organization_role(there.find_user(BOB).id, "owner")

    job = finished(campaign)

    assert job["state"] == "succeeded"
    told = {action["email"]: action["detail"] for action in job["actions"]}
    assert told[ADA].startswith(
        "Its role in the project Search was member, and is owner now. Review it anew."
    )
    assert told[BOB].startswith("Its role was reader, and is owner now. Review it anew. Nothing is taken.")
    assert told[dan].startswith("The account is not there any more.")
    assert {action["kind"] for action in job["actions"]} == {"report"}
    assert company.members() == {ADA, BOB, BOSS, EVE}


def test_the_finish_says_what_the_last_read_found_changed(company: World) -> None:
    campaign = opened(company)
    there = company.organization
    there.remove_user(there.find_user(EVE).id)
    there.take_project(there.find_project("Search").id, there.find_user(BOB).id)
    company.preview()

    finished(campaign)

    meanwhile = campaign.items.exclude(meanwhile="").order_by("seq").values_list("email", "meanwhile")
    assert list(meanwhile) == [
        (BOB, "It does not hold the project any more."),
        (EVE, "The account is not there any more."),
    ]


def test_the_protected_the_last_owner_and_the_keys_owner_are_refused_by_name(company: World) -> None:
    campaign = opened(company)
    decide(campaign, ADA, "revoke", "Left.")
    decide(campaign, BOB, "revoke", "Left.")
    decide(campaign, BOSS, "revoke", "Left.")
    protected = {"kind": Mark.Kind.PROTECTED, "reason": "Runs the place."}
    Mark.objects.create(integration=company.integration, email=ADA, key=ADA, **protected)
    Mark.objects.create(integration=company.integration, email=BOB, key=BOB, kind="ignored", reason="Theirs.")

    before = company.writes()

    job = finished(campaign)

    errors = {action["email"]: (action["error"] or {}).get("code") for action in job["actions"]}
    assert errors == {ADA: "protected", BOB: None, BOSS: "credential_owner"}
    [ignored] = [action for action in job["actions"] if action["email"] == BOB]
    assert ignored["detail"].startswith("Marked ignored: Theirs. Nothing is taken.")
    assert (job["state"], company.writes()) == ("partial", before)


def test_an_empty_directory_does_not_stand_in_the_way_and_learns_nothing_of_it(company: World) -> None:
    many = [f"p{place}@example.org" for place in range(20)]
    company.hire_all(many)
    company.sync()
    campaign = opened(company)
    decide(campaign, BOB, "revoke", "Left.")
    company.integration.jobs.update(planned_at=timezone.now() - timedelta(hours=2))
    company.dismiss(ADA, BOB, BOSS, *many)

    job = finished(campaign)

    assert (job["state"], job["refusal"]) == ("awaiting_approval", None)
    company.hire_again(BOSS)
    assert company.sync()["refusal"]["code"] == "source_shrunk"


def test_an_open_invite_is_withdrawn_and_an_accepted_one_is_not_taken_for_it(company: World) -> None:
    for name in ("dan", "fay"):
        company.hire(f"{name}@example.org", "engineering")
    company.sync()
    campaign = opened(company)
    for name in ("dan", "fay"):
        decide(campaign, f"{name}@example.org", "revoke", "Never came.")
    company.organization.accept_invite("fay@example.org")

    job = finished(campaign)
    company.approve(job["job"])

    assert "fay@example.org" in company.members()
    withdrawn = [action["email"] for action in job["actions"] if action["kind"] == "withdraw_invite"]
    assert withdrawn == ["dan@example.org"]
    assert [row.person.email for row in Exclusion.objects.in_force()] == ["dan@example.org"]
    assert brief(company.sync(), kinds={"invite"}) == []


def test_revocations_wait_while_the_integration_is_at_work_and_are_asked_for_once(company: World) -> None:
    campaign = opened(company)
    decide(campaign, BOB, "revoke", "Left.")
    busy = requesting.request_job(company.integration, deliver=False)

    running.finish(campaign, by=User.objects.get(username="alice"), reason="Enough.")
    done(campaign)
    running.ask_for_jobs()
    assert (campaign.jobs.count(), Campaign.objects.awaiting_job().count()) == (0, 1)

    requesting.cancel(busy, by=None, reason="Make way.")
    running.ask_for_jobs()
    running.ask_for_jobs()
    assert campaign.jobs.get().requested_by == User.objects.get(username="alice")


def test_a_cancelled_review_takes_nothing(company: World) -> None:
    campaign = opened(company)
    decide(campaign, BOB, "revoke", "Left.")

    running.cancel(campaign, by=User.objects.get(username="alice"), reason="The wrong quarter.")
    done(campaign)
    running.ask_for_jobs()

    assert (campaign.state, campaign.jobs.count()) == ("cancelled", 0)
    assert Entry.objects.filter(verb="review.cancelled").get().told()["facts"]["digest"] == campaign.digest


def test_the_record_of_a_finished_review_cannot_be_altered_unnoticed(company: World) -> None:
    campaign = opened(company)
    decide(campaign, BOB, "revoke", "Left.")
    finished(campaign)
    User.objects.filter(username="rita").update(username="rita.jones")  # who is renamed alters nothing
    assert evidence.document(campaign)["frozen"]

    for change in ({"decision": "keep"}, {"reason": "She left."}, {"email": "x@example.org"}):
        item = campaign.items.get(email=BOB, kind="")
        before = {name: getattr(item, name) for name in change}
        Item.objects.filter(pk=item.pk).update(**change)
        assert not evidence.document(campaign)["frozen"]
        Item.objects.filter(pk=item.pk).update(**before)
    assert Entry.objects.get(verb="review.finished").told()["facts"]["digest"] == campaign.digest


def test_a_mode_that_takes_nothing_away_takes_nothing_for_a_review(company: World) -> None:
    company.configure(mode=Integration.Mode.EXTEND)
    campaign = opened(company)
    decide(campaign, BOB, "revoke", "Left.")

    job = finished(campaign)

    assert [(action["state"], action["error"]["code"]) for action in job["actions"]] == [("skipped", "mode")]
    assert not Exclusion.objects.in_force().exists()


# -- in a worker


class Killed(BaseException):
    """As a process is: nothing catches it."""


def hand_over(campaign: Campaign, of: User, to: User) -> None:
    running.hand_over(campaign, of=of, to=to, by=of)


DEEDS: dict[str, tuple[str, Any]] = {
    "opened": ("review.opened", lambda one, rita, olaf: running.open_review(one, by=rita)),
    "handed over": ("review.handed_over", hand_over),
    "finished": ("review.finished", lambda one, rita, olaf: running.finish(one, by=rita, reason="Enough.")),
    "cancelled": ("review.cancelled", lambda one, rita, olaf: running.cancel(one, by=rita, reason="Wrong.")),
}


def asked_for(company: World, deed: str) -> Campaign:
    """A review in which a worker is to do it, some lines at a time."""
    rita, olaf = reviewer("rita"), reviewer("olaf")
    campaign = review(company, by=rita) if deed == "opened" else opened(company)
    if deed != "opened":
        decide(campaign, BOB, "revoke", "Left.")
        there = company.organization
        there.remove_user(there.find_user(EVE).id)
        company.preview()
    DEEDS[deed][1](campaign, rita, olaf)
    return campaign


@pytest.fixture
def few_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "AT_ONCE", 2)
    monkeypatch.setattr(under_way, "AT_ONCE", 2)


def killed_at(write: int) -> Any:
    """Dies when it is about to write for the so-manieth time."""
    written = 0

    def look(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal written
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            written += 1
            if written == write:
                raise Killed
        return execute(sql, *rest)

    return connection.execute_wrapper(look)


def after_some_lines(monkeypatch: pytest.MonkeyPatch, do: Any) -> None:
    """What others do while a worker is at it, once."""
    left, in_turn, values = [do], models.ItemQuerySet.in_turn, listing._Known._values

    def _do() -> None:
        while left:
            left.pop()()

    def in_turn_and_do(self: Any) -> Any:
        for rows in in_turn(self):
            yield rows
            _do()

    def values_and_do(self: Any, number: int, line: Any) -> Any:
        if number == 3:
            _do()
        return values(self, number, line)

    monkeypatch.setattr(models.ItemQuerySet, "in_turn", in_turn_and_do)
    monkeypatch.setattr(listing._Known, "_values", values_and_do)


def told(campaign: Campaign) -> Any:
    """All that anybody can see of it, but for moments and what it was frozen by."""
    campaign.refresh_from_db()
    document = evidence.document(campaign)
    assert document["frozen"] is not False
    for name in ("id", "opened_at", "closed_at", "digest", "frozen"):
        del document[name]
    for line in document["lines"]:
        del line["decided_at"]
    return document


@pytest.mark.usefixtures("few_lines")
@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_worker_killed_at_any_write_leaves_nothing_half_done_and_nothing_is_done_twice(
    company: World, deed: str
) -> None:
    campaign, verb = asked_for(company, deed), DEEDS[deed][0]
    write, before = 0, campaign.state
    while campaign.is_under_way:
        write += 1
        try:
            with killed_at(write):
                under_way.go_on(campaign.pk)
        except Killed:
            campaign.refresh_from_db()
            is_told = Entry.objects.filter(verb=verb).count()
            assert (campaign.state, is_told) == (before, 0) or (campaign.is_finished and is_told == 1)
            an_hour_ago = timezone.now() - timedelta(hours=1)
            Campaign.objects.filter(holder__gt="").update(lease_expires_at=an_hour_ago)
            assert under_way.lost(now=timezone.now()) == [campaign.pk] * campaign.is_under_way
        campaign.refresh_from_db()
    running.ask_for_jobs()
    assert write > 5

    assert Entry.objects.filter(verb=verb).count() == 1
    assert list(campaign.items.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4, 5, 6]
    expected = {
        "opened": ("open", {"rita"}, 0),
        "handed over": ("open", {"rita", "olaf"}, 0),
        "finished": ("finished", {"rita"}, 1),
        "cancelled": ("cancelled", {"rita"}, 0),
    }[deed]
    document = told(campaign)
    meanwhile = sum(bool(line["changed_meanwhile"]) for line in document["lines"])
    assert (document["state"], {line["reviewer"] for line in document["lines"]}, meanwhile) == expected
    assert campaign.jobs.count() == (1 if deed == "finished" else 0)


def test_the_clock_sends_what_was_lost_and_leaves_what_a_worker_has(
    company: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, sent = asked_for(company, "opened"), list[int]()
    monkeypatch.setattr(go_on_with_review, "delay", lambda *, campaign_id: sent.append(campaign_id))
    pick_up_reviews()
    assert sent == [campaign.pk]

    assert campaign.claim(holder="another", now=timezone.now())
    pick_up_reviews()
    assert sent == [campaign.pk]
    go_on_with_review(campaign_id=campaign.pk)  # a message that came twice
    assert campaign.items.count() == 0

    Campaign.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    pick_up_reviews()
    assert sent == [campaign.pk] * 2


@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_asked_for_is_asked_for_once_and_told_by_whom(company: World, deed: str) -> None:
    campaign = asked_for(company, deed)
    rita, olaf = (User.objects.get(username=name) for name in ("rita", "olaf"))

    for _verb, ask in DEEDS.values():
        with pytest.raises(Refused, match=r"Q4 is being .* at this moment\. Wait until that has ended\."):
            ask(campaign, rita, olaf)

    assert campaign.asked_by == rita
    entry = Entry.objects.filter(verb="review.asked").latest("seq")
    assert (entry.actor, entry.told()["after"]) == ("rita", {"state": campaign.state})


@pytest.mark.usefixtures("few_lines")
@pytest.mark.parametrize("deed", DEEDS)
def test_what_is_stopped_while_a_worker_is_at_it_is_as_it_was_before(
    company: World, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, rita = asked_for(company, deed), User.objects.get(username="rita")
    before = Campaign.UNDER_WAY[campaign.state]
    after_some_lines(monkeypatch, lambda: running.stop(campaign, by=rita))
    done(campaign)
    pick_up_reviews()

    assert (campaign.state, campaign.note) == (before, "")
    assert campaign.items.count() == (0 if deed == "opened" else 6)
    assert not campaign.items.filter(reviewer__username="olaf").exists()
    assert not Entry.objects.filter(verb=DEEDS[deed][0]).exists()
    [entry] = Entry.objects.filter(verb="review.stopped")
    assert entry.told()["facts"]["outcome"] == "stopped"
    with pytest.raises(Refused, match="already"):
        running.stop(campaign, by=rita)
    DEEDS[deed][1](campaign, rita, User.objects.get(username="olaf"))
    done(campaign)
    assert Entry.objects.filter(verb=DEEDS[deed][0]).count() == 1


@pytest.mark.parametrize("deed", DEEDS)
def test_a_defect_is_told_by_name_and_what_was_asked_for_can_be_asked_for_again(
    company: World, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = asked_for(company, deed)
    before = Campaign.UNDER_WAY[campaign.state]

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("ada@example.org")

    with monkeypatch.context() as patched:
        patched.setattr(Campaign, "come_to", broken)
        done(campaign)
    said = "An error in Cakewalk itself: ZeroDivisionError. The worker's log has more."
    assert (campaign.state, campaign.note) == (before, said)
    [entry] = Entry.objects.filter(verb="review.stopped")
    assert entry.told()["facts"]["outcome"] == "failed"

    DEEDS[deed][1](campaign, User.objects.get(username="rita"), User.objects.get(username="olaf"))
    assert (done(campaign).note, Entry.objects.filter(verb=DEEDS[deed][0]).count()) == ("", 1)


def test_a_refusal_is_told_in_the_language_of_whoever_asked(company: World) -> None:
    User.objects.filter(username="alice").update(language="de")
    campaign = review(company, by=reviewer("eve", EVE))

    running.open_review(campaign, by=User.objects.get(username="alice"))

    assert done(campaign).note.startswith(f"Niemand außer {EVE}")
    [entry] = Entry.objects.filter(verb="review.stopped")
    assert entry.told()["facts"] == {"what": "opening", "outcome": "refused"}


@pytest.mark.usefixtures("few_lines")
@pytest.mark.parametrize("deed", DEEDS)
def test_a_worker_that_was_taken_for_dead_does_nothing_beside_the_other(
    company: World, deed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = asked_for(company, deed)
    before = campaign.state
    after_some_lines(monkeypatch, lambda: Campaign.objects.update(holder="another"))
    done(campaign)

    assert (campaign.state, campaign.holder) == (before, "another")
    assert campaign.items.count() == (2 if deed == "opened" else 6)
    assert not Entry.objects.filter(verb=DEEDS[deed][0]).exists()


# -- two at once


MANY_WRITERS = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite in memory has one writer; a file waits"
)


@MANY_WRITERS
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_decision_while_the_review_is_finished_is_in_it_or_refused(world: World) -> None:
    world.organization.add_member(EVE)
    world.approver()
    world.sync()
    for place in range(4):
        campaign = opened(world, name=f"Q{place}")
        at_once(
            lambda campaign=campaign: decide(campaign, EVE, "keep"),
            lambda campaign=campaign: running.finish(
                campaign, by=User.objects.get(username="alice"), reason="Enough."
            ),
        )
        assert done(campaign).state == "finished"
        assert not evidence.is_altered(campaign)


def at_once(*deeds: Any) -> None:
    """Each in a thread of its own; what is refused is refused."""

    def run(deed: Any) -> None:
        try:
            barrier.wait()
            deed()
        except Refused:
            pass
        finally:
            connection.close()

    barrier = threading.Barrier(len(deeds))
    threads = [threading.Thread(target=run, args=(deed,)) for deed in deeds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@MANY_WRITERS
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_review_is_finished_once_and_its_job_asked_for_once(world: World) -> None:
    world.organization.add_member(EVE)
    world.approver()
    world.sync()
    campaign = opened(world)
    decide(campaign, EVE, "revoke", "Nobody knows her.")

    def finish() -> None:
        running.finish(campaign, by=User.objects.get(username="alice"), reason="Enough.")

    at_once(finish, finish, running.ask_for_jobs)
    at_once(*[lambda: under_way.go_on(campaign.pk)] * 3)
    at_once(running.ask_for_jobs, running.ask_for_jobs)

    assert campaign.jobs.count() == 1
    assert Entry.objects.filter(verb="review.finished").count() == 1


# -- reminders


@pytest.fixture
def mails(settings: Any) -> Any:
    from django.core import mail  # noqa: PLC0415

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    mail.outbox = []
    return mail


def test_each_reminder_is_sent_once_to_those_who_still_have_lines(company: World, mails: Any) -> None:
    campaign, now = opened(company), timezone.now()
    for after in (0, 1, 11, 12, 14, 15, 16):
        Campaign.objects.update(due_on=today() + timedelta(days=14 - after))
        reminding.send_due(now)
        reminding.send_due(now + timedelta(hours=1))

    day = today() - timedelta(days=1)
    assert [one.subject.partition(" to review ")[0] for one in mails.outbox] == ["6 lines"] * 4
    kinds = list(campaign.reminders.order_by("pk").values_list("kind", flat=True))
    assert kinds == ["opened", "soon", "due", "overdue"]
    assert mails.outbox[-1].subject.startswith(f"6 lines to review overdue since {day.day} ")
    assert mails.outbox[0].to == ["rita@example.org"]
    assert f"/admin/my-reviews/{campaign.public_id}/" in mails.outbox[0].body
    assert len({one.extra_headers["Message-ID"] for one in mails.outbox}) == 4
    assert Entry.objects.filter(verb="review.reminded").count() == 4
    Campaign.objects.update(state="finished")
    reminding.send_due(now + timedelta(days=30))
    assert len(mails.outbox) == 4


def test_a_reminder_that_was_not_taken_is_tried_again_and_a_killed_one_keeps_its_id(
    company: World, mails: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign, now = opened(company), timezone.now()

    def down(*_: object) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patched:
        patched.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", down)
        reminding.send_due(now)
    assert campaign.reminders.get().error == "The mail server did not take it: ConnectionRefusedError."
    reminding.send_due(now + timedelta(minutes=1))
    assert mails.outbox == []

    reminding.send_due(now + timedelta(minutes=6))
    campaign.reminders.update(sent_at=None)  # as if the process had died before it could write it down
    reminding.send_due(now + timedelta(minutes=12))
    first, second = (one.extra_headers["Message-ID"] for one in mails.outbox)
    assert first == second


def test_without_a_mail_server_nobody_is_told_to_have_been_reminded(company: World, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
    campaign = opened(company)

    reminding.send_due(timezone.now())

    assert (reminding.is_off(), campaign.reminders.count()) == (True, 0)
