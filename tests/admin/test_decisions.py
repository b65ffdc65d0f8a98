"""Approving, cancelling, releasing and restoring a job through its page."""

import re
from datetime import date, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from pytest_django import DjangoCaptureOnCommitCallbacks

from provisioning.models import Account, Action, Mark, ProvisioningJob
from provisioning.wording import NOT_RESTORED
from tests.admin.browser import Typed, as_shown, forms, said
from tests.admin.builders import PROBLEM, account, action, awaiting, integration, job, staff
from tests.admin.deeds import everything
from tests.directory.builders import person

State = ProvisioningJob.State


@pytest.fixture
def waiting(db: None) -> ProvisioningJob:
    """Asked for by an operator, with three removals held."""
    return awaiting(integration("Acme"), by=staff("olga", "Operator"), held=3)


def page(of: ProvisioningJob) -> str:
    return reverse("admin:provisioning_provisioningjob_change", args=[of.pk])


def button(name: str, of: ProvisioningJob) -> str:
    return reverse(f"admin:provisioning_provisioningjob_{name}", args=[of.pk])


def approval(client: Client, of: ProvisioningJob, reason: str = "They left.") -> Typed:
    """What the dialog sends, as the page shows it now."""
    return as_shown(client, page(of), button("approve", of), reason=reason)


def press(client: Client, name: str, of: ProvisioningJob, **typed: str) -> list[str]:
    """What staff are told."""
    answer = client.post(button(name, of), typed)
    assert (answer.status_code, answer["Location"]) == (302, page(of))
    return said(answer)


def test_an_approval_releases_what_is_held_and_wakes_one_worker(
    waiting: ProvisioningJob,
    clients: dict[str, Client],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks() as woken:
        told = press(clients["approver"], "approve", waiting, **approval(clients["approver"], waiting))

    waiting.refresh_from_db()
    assert told == [f"{waiting} is approved and queued; a worker carries it out."]
    assert (waiting.state, waiting.approved_by.username) == (State.QUEUED, "approver")
    assert waiting.approval_reason == "They left."
    assert [(row.state, row.error) for row in waiting.actions.filter(kind="remove")] == [
        ("planned", None)
    ] * 3
    assert len(woken) == 1


def test_the_page_names_everything_that_an_approval_releases(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    html = clients["approver"].get(page(waiting)).content.decode()
    dialog = html[html.index('id="approve-dialog"') :]

    assert [email for email in ("gone0", "gone1", "gone2") if f"{email}@example.org" in dialog] == [
        "gone0",
        "gone1",
        "gone2",
    ]
    assert "Approve 3 actions" in dialog
    assert approval(clients["approver"], waiting)["digest"] == [waiting.digest]


def test_buttons_are_shown_to_those_who_may_press_them(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    shown = {
        role: {
            name
            for name in ("approve", "cancel")
            if button(name, waiting) in forms(client.get(page(waiting)))
        }
        for role, client in clients.items()
        if role != "nobody"
    }

    assert shown == {
        "auditor": set(),
        "operator": {"cancel"},
        "approver": {"approve"},
        "reviewer": set(),
        "key holder": set(),
        "superuser": {"approve", "cancel"},
    }


@pytest.mark.parametrize("state", sorted({*State} - {State.AWAITING_APPROVAL, State.CANCELLED}))
def test_a_job_that_waits_for_nobody_shows_no_approval(
    waiting: ProvisioningJob, clients: dict[str, Client], state: str
) -> None:
    other = job(waiting.integration, state)

    assert button("approve", other) not in forms(clients["approver"].get(page(other)))
    before = everything()
    told = press(clients["approver"], "approve", other, reason="Do.", digest=other.digest)
    assert told == [f"Not approved. {other} is {other.get_state_display().lower()} and awaits no approval."]
    assert everything() == before


@pytest.mark.parametrize("reason", ["", "   ", "\r\n"])
def test_an_approval_without_a_reason_is_none(
    waiting: ProvisioningJob, clients: dict[str, Client], reason: str
) -> None:
    typed = approval(clients["approver"], waiting, reason)
    before = everything()

    told = press(clients["approver"], "approve", waiting, **typed)

    assert told == ["Not approved. An approval needs a reason."]
    assert everything() == before


def test_an_approver_approves_the_plan_that_they_saw_and_no_other(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    seen = approval(clients["approver"], waiting)
    action(waiting, "remove", "held", email="one.more@example.org")
    before = everything()

    told = press(clients["approver"], "approve", waiting, **seen)

    assert told == [f"Not approved. The plan of {waiting} is not the one that was shown; make a new one."]
    assert everything() == before


def test_an_approval_that_names_no_plan_is_refused(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    before = everything()

    told = press(clients["approver"], "approve", waiting, reason="Do.")

    assert told == [f"Not approved. The plan of {waiting} is not the one that was shown; make a new one."]
    assert everything() == before


def test_a_plan_that_was_tampered_with_is_not_carried_out(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    seen = approval(clients["approver"], waiting)
    waiting.actions.filter(email="gone0@example.org").update(email="boss@example.org")
    before = everything()

    told = press(clients["approver"], "approve", waiting, **seen)

    assert told == [f"Not approved. The plan of {waiting} is not the one that was shown; make a new one."]
    assert everything() == before


def test_who_asked_for_a_job_does_not_approve_it(clients: dict[str, Client]) -> None:
    both = staff("both", "Operator", "Approver")
    own = awaiting(integration("Acme"), by=both)
    client = Client()
    client.force_login(both)
    before = everything()

    shown = client.get(page(own))
    assert button("approve", own) not in forms(shown)
    assert f"both asked for {own}; another approver must approve it." in shown.content.decode()
    told = press(client, "approve", own, **approval(clients["approver"], own))

    assert told == [f"Not approved. both asked for {own}; another approver must approve it."]
    assert everything() == before


@pytest.mark.django_db
def test_the_only_approver_may_approve_what_they_asked_for() -> None:
    both = staff("both", "Operator", "Approver")
    own = awaiting(integration("Acme"), by=both)
    client = Client()
    client.force_login(both)

    press(client, "approve", own, **approval(client, own))

    own.refresh_from_db()
    assert (own.state, own.approved_by) == (State.QUEUED, both)


def test_a_job_is_approved_once(waiting: ProvisioningJob, clients: dict[str, Client]) -> None:
    first = approval(clients["approver"], waiting)
    second = approval(clients["superuser"], waiting, "Me too.")
    press(clients["approver"], "approve", waiting, **first)
    before = everything()

    told = press(clients["superuser"], "approve", waiting, **second)

    assert told == [f"Not approved. {waiting} is queued and awaits no approval."]
    assert everything() == before


def test_no_approval_while_another_job_of_the_integration_runs(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    running = job(waiting.integration, State.RUNNING)
    typed = approval(clients["approver"], waiting)
    before = everything()

    told = press(clients["approver"], "approve", waiting, **typed)

    assert told == [f"Not approved. {running} is already running."]
    assert everything() == before


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
def test_a_live_job_is_cancelled(waiting: ProvisioningJob, clients: dict[str, Client], state: str) -> None:
    live = job(waiting.integration, state)
    done, planned = action(live, "invite", "done"), action(live, "remove", "planned")
    action(live, "report", "done")

    told = press(clients["operator"], "cancel", live, reason="Wrong file.")

    live.refresh_from_db()
    says = "1 of 2 actions was done before and stays done; 1 is skipped."
    assert told == [f"{live} is cancelled. {says}"]
    assert f"It was cancelled. {says}" in clients["auditor"].get(page(live)).content.decode()
    assert (live.state, live.cancelled_by.username, live.cancel_reason) == (
        State.CANCELLED,
        "operator",
        "Wrong file.",
    )
    assert [Action.objects.get(pk=row.pk).state for row in (done, planned)] == ["done", "skipped"]


def test_cancelling_a_job_that_waits_leaves_what_is_held_undone(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    typed = as_shown(clients["operator"], page(waiting), button("cancel", waiting), reason="They come back.")

    told = press(clients["operator"], "cancel", waiting, **typed)

    assert told == [f"{waiting} is cancelled. 1 of 4 actions was done before and stays done; 3 are skipped."]
    held = waiting.actions.filter(kind="remove")
    assert {(row.state, row.error["detail"]) for row in held} == {("skipped", "Cancelled: They come back.")}
    assert waiting.actions.get(kind="invite").state == Action.State.DONE


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_cancellation_without_a_reason_is_none(
    waiting: ProvisioningJob, clients: dict[str, Client], reason: str
) -> None:
    before = everything()

    told = press(clients["operator"], "cancel", waiting, reason=reason)

    assert told == ["Not cancelled. A cancellation needs a reason."]
    assert everything() == before


def test_a_job_is_cancelled_once(waiting: ProvisioningJob, clients: dict[str, Client]) -> None:
    press(clients["operator"], "cancel", waiting, reason="Wrong file.")
    before = everything()

    told = press(clients["superuser"], "cancel", waiting, reason="Indeed.")

    assert told == [
        f"Not cancelled. {waiting} has already ended: it is cancelled. "
        "1 of 4 actions was done before and stays done; 3 are skipped."
    ]
    assert everything() == before


def test_a_cancelled_job_is_not_approved_any_more(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    seen = approval(clients["approver"], waiting)
    press(clients["operator"], "cancel", waiting, reason="Wrong file.")
    before = everything()

    told = press(clients["approver"], "approve", waiting, **seen)

    assert told == [f"Not approved. {waiting} is cancelled and awaits no approval. Wrong file."]
    assert everything() == before


@pytest.mark.parametrize("reason", ["x" * 501, "They\0left."])
@pytest.mark.parametrize(("role", "decision"), [("approver", "approve"), ("operator", "cancel")])
def test_a_reason_that_no_column_takes_is_refused(
    waiting: ProvisioningJob, clients: dict[str, Client], role: str, decision: str, reason: str
) -> None:
    before = everything()

    [told] = press(clients[role], decision, waiting, reason=reason, digest=waiting.digest)

    assert told.endswith("A reason is a text of at most 500 characters.")
    assert everything() == before


# -- the age of a plan


def expired(of: ProvisioningJob) -> ProvisioningJob:
    ProvisioningJob.objects.filter(pk=of.pk).update(planned_at=timezone.now() - timedelta(hours=73))
    of.refresh_from_db()
    return of


def sync_button(of: ProvisioningJob) -> str:
    return reverse("admin:integrations_integration_sync", args=[of.integration_id])


def test_the_page_of_a_waiting_plan_says_how_long_it_waits(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    html = clients["approver"].get(page(waiting)).content.decode()

    assert "Expires in 2\xa0days, 23\xa0hours" in html
    assert sync_button(waiting) not in forms(clients["superuser"].get(page(waiting)))


def test_the_page_of_an_expired_plan_offers_a_sync_and_no_approval(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    seen = approval(clients["approver"], waiting)
    expired(waiting)
    before = everything()

    told = press(clients["approver"], "approve", waiting, **seen)

    says = "The plan waited longer than 72 hours and must be made again. Sync now makes a new one."
    assert told == [f"Not approved. {says}"]
    assert everything() == before
    answer = clients["superuser"].get(page(waiting))
    assert (says in answer.content.decode(), "Expires in" in answer.content.decode()) == (True, False)
    assert {sync_button(waiting), button("cancel", waiting)} <= set(forms(answer))
    assert button("approve", waiting) not in forms(answer)
    assert "An operator can make a new one" in clients["approver"].get(page(waiting)).content.decode()


def test_a_plan_that_the_clock_has_ended_still_offers_a_new_one(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    assert expired(waiting).expire(now=timezone.now())

    answer = clients["operator"].get(page(waiting))

    assert "Its plan waited too long for an approver." in answer.content.decode()
    assert sync_button(waiting) in forms(answer)
    assert button("cancel", waiting) not in forms(answer)


# -- the lease of a running job


def at_work(of: ProvisioningJob, *, minutes_left: int) -> ProvisioningJob:
    now = timezone.now()
    return job(
        of.integration,
        State.RUNNING,
        holder="box pid:[1]/4711/ab",
        held_since=now - timedelta(minutes=5),
        lease_expires_at=now + timedelta(minutes=minutes_left),
    )


def test_the_page_of_a_running_job_says_who_holds_it_and_until_when(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    running = at_work(waiting, minutes_left=2)

    answer = clients["superuser"].get(page(running))

    html = re.sub(r"<[^>]+>", "", answer.content.decode())
    assert "Held by process 4711 on box since" in html
    until = timezone.localtime(running.lease_expires_at).strftime("%H:%M:%S")
    assert re.search(f"the lease runs out at [^;]*{until}", html)
    assert button("release", running) not in forms(answer)


def test_a_job_whose_worker_is_alive_is_not_released(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    running = at_work(waiting, minutes_left=2)
    before = everything()

    [told] = press(clients["operator"], "release", running, reason="Hurry.")

    assert told.startswith(f"Not released. {running} is at work: process 4711 on box holds it until ")
    assert everything() == before


def test_a_job_whose_lease_has_run_out_is_released_and_its_page_tells_by_whom(
    waiting: ProvisioningJob,
    clients: dict[str, Client],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    running = at_work(waiting, minutes_left=-1)
    typed = as_shown(clients["operator"], page(running), button("release", running), reason="Box is gone.")
    assert button("release", running) not in forms(clients["approver"].get(page(running)))

    with django_capture_on_commit_callbacks() as woken:
        told = press(clients["operator"], "release", running, **typed)

    running.refresh_from_db()
    html = clients["auditor"].get(page(running)).content.decode()
    assert told == [f"{running} is taken from process 4711 on box and queued again."]
    assert (running.state, running.holder, len(woken)) == (State.QUEUED, "", 1)
    assert "Released from process 4711 on box" in html
    assert "by operator: Box is gone." in html
    assert "Held by" not in html


@pytest.mark.parametrize("reason", ["", " \n "])
def test_a_release_without_a_reason_is_none(
    waiting: ProvisioningJob, clients: dict[str, Client], reason: str
) -> None:
    running = at_work(waiting, minutes_left=-1)
    before = everything()

    assert press(clients["operator"], "release", running, reason=reason) == [
        "Not released. A release needs a reason."
    ]
    assert everything() == before


# -- one limit at a time

FIRST = {"code": "first_removals", "detail": "3 of 20 accounts would lose access in the first sync"}


@pytest.fixture
def twice_held(db: None) -> ProvisioningJob:
    return awaiting(integration("Acme"), by=staff("olga", "Operator"), held=3, holds=(FIRST, PROBLEM))


def test_the_only_limit_is_shown_with_its_sentence_and_overridden_by_the_approval(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    typed = approval(clients["approver"], waiting)

    assert typed["override"] == ["removal_limit"]
    press(clients["approver"], "approve", waiting, **typed)
    waiting.refresh_from_db()
    [decided] = waiting.overrides
    assert (decided["code"], decided["by"], decided["reason"]) == ("removal_limit", "approver", "They left.")


def test_of_several_limits_none_is_ticked_and_each_says_how_many_actions_it_holds(
    twice_held: ProvisioningJob, clients: dict[str, Client]
) -> None:
    action(twice_held, "invite", "held", holds=["first_removals"])
    html = clients["approver"].get(page(twice_held)).content.decode()
    dialog = re.sub(
        r"<[^>]+>", "", html[html.index('id="approve-dialog"') : html.index('id="reject-dialog"')]
    )

    assert "override" not in approval(clients["approver"], twice_held)
    assert html.count('name="override"') == 2
    assert f"{FIRST['detail']}. It holds 4 actions." in dialog
    assert f"{PROBLEM['detail']}. It holds 3 actions." in dialog
    assert re.findall(r"Held for: ([^.]+)\.", dialog) == ["First removals"]  # of the one that not all hold


def test_an_approval_that_ticks_nothing_is_none(
    twice_held: ProvisioningJob, clients: dict[str, Client]
) -> None:
    typed = approval(clients["approver"], twice_held)
    before = everything()

    told = press(clients["approver"], "approve", twice_held, **typed)

    assert told == ["Not approved. Choose what is to be overridden: first_removals, removal_limit."]
    assert everything() == before


def test_one_limit_is_overridden_and_the_plan_still_waits_for_the_other(
    twice_held: ProvisioningJob,
    clients: dict[str, Client],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    typed = approval(clients["approver"], twice_held, "Looked at each.") | {"override": "first_removals"}

    with django_capture_on_commit_callbacks() as woken:
        told = press(clients["approver"], "approve", twice_held, **typed)

    twice_held.refresh_from_db()
    html = clients["auditor"].get(page(twice_held)).content.decode()
    assert told == [
        f"Overridden: first removals. {twice_held} still waits, with nothing of it applied, for: "
        "limit of takings."
    ]
    assert (twice_held.state, twice_held.approved_by, woken) == (State.AWAITING_APPROVAL, None, [])
    assert set(twice_held.actions.filter(kind="remove").values_list("state", flat=True)) == {"held"}
    assert "Overridden: first removals" in html
    assert html.count("by approver: Looked at each.") == 2  # in the timeline, and beside the limit
    assert "override" not in approval(clients["approver"], twice_held)


def test_the_other_limit_is_overridden_by_another_approver_and_the_plan_is_queued(
    twice_held: ProvisioningJob, clients: dict[str, Client]
) -> None:
    first = approval(clients["approver"], twice_held) | {"override": "first_removals"}
    press(clients["approver"], "approve", twice_held, **first)
    other = approval(clients["superuser"], twice_held, "Right.") | {"override": "removal_limit"}

    told = press(clients["superuser"], "approve", twice_held, **other)

    twice_held.refresh_from_db()
    assert told == [f"{twice_held} is approved and queued; a worker carries it out."]
    assert (twice_held.state, twice_held.approved_by.username) == (State.QUEUED, "superuser")
    assert [one["by"] for one in twice_held.overrides] == ["approver", "superuser"]
    assert set(twice_held.actions.filter(kind="remove").values_list("state", flat=True)) == {"planned"}


def test_whoever_may_be_whose_is_linked_with_one_click_on_the_jobs_page(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    ada, found = (
        person("ada@example.org"),
        account(waiting.integration, "user-9", email="ada@private.example"),
    )
    action(waiting, "report", account_id="user-9", person=ada, situation="accepted_elsewhere")
    link = reverse("admin:provisioning_account_link", args=[found.pk])
    assert link not in forms(clients["auditor"].get(page(waiting)))
    typed = as_shown(clients["operator"], page(waiting), link)

    answer = clients["operator"].post(link, typed)

    found.refresh_from_db()
    assert (found.person, found.match, answer["Location"]) == (ada, Account.Match.MANUAL, page(waiting))
    assert said(answer) == [
        "ada@private.example belongs to ada@example.org, linked by hand. The next sync goes by that."
    ]
    assert link not in forms(clients["operator"].get(page(waiting)))


@pytest.mark.parametrize("typed", [{}, {"person": "0", "job": "0"}, {"person": "x", "job": ""}])
def test_nonsense_links_nothing(
    waiting: ProvisioningJob, clients: dict[str, Client], typed: dict[str, str]
) -> None:
    found = account(waiting.integration, "user-9")
    before = everything()
    answer = clients["operator"].post(reverse("admin:provisioning_account_link", args=[found.pk]), typed)
    assert said(answer) == ["Not linked. There is no such person or job; look again."]
    assert everything() == before


@pytest.fixture
def took(db: None) -> ProvisioningJob:
    """A job that removed two people and took a project from one of them."""
    ended = job(integration("Acme"), State.SUCCEEDED)
    action(ended, "remove", email="gone0@example.org", account_id="user-0")
    action(ended, "revoke", email="gone0@example.org", account_id="user-0")
    action(ended, "remove", email="gone1@example.org", account_id="user-1")
    return ended


def test_the_page_says_what_a_restore_cannot_bring_back_before_it_is_asked_for(
    took: ProvisioningJob, clients: dict[str, Client]
) -> None:
    html = clients["operator"].get(page(took)).content.decode()
    dialog = html[html.index('id="restore-dialog"') :]

    assert "A new job plans it for 2 accounts" in dialog
    assert [sentence for sentence in NOT_RESTORED if escape(str(sentence)) not in dialog] == []
    assert button("restore", took) not in forms(clients["approver"].get(page(took)))


def test_a_restore_is_queued_and_both_jobs_name_each_other(
    took: ProvisioningJob,
    clients: dict[str, Client],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    day = (timezone.localdate() + timedelta(days=30)).isoformat()
    typed = as_shown(clients["operator"], page(took), button("restore", took), reason="A wrong file.")
    with django_capture_on_commit_callbacks() as woken:
        answer = clients["operator"].post(button("restore", took), {**typed, "keep_until": day})

    restore = ProvisioningJob.objects.get(restores=took)
    assert said(answer) == [f"{restore} plans what gives back what {took} took. An approver must approve it."]
    assert (answer["Location"], restore.state, len(woken)) == (page(restore), State.QUEUED, 1)
    assert sorted(Mark.objects.values_list("email", "kind", "until")) == [
        (f"gone{place}@example.org", "ignored", date.fromisoformat(day)) for place in (0, 1)
    ]
    html = clients["auditor"].get(page(restore)).content.decode()
    assert "by operator: A wrong file." in html
    assert f'<a class="cw-link" href="{page(took)}">what job {took.pk} took</a>' in html
    assert f'href="{page(restore)}">{restore}</a>' in clients["auditor"].get(page(took)).content.decode()


@pytest.mark.parametrize(
    ("reason", "day", "told"),
    [
        ("", "", "Not restored. A restore needs a reason."),
        ("Yes.", "soon", "Not restored. The last day must be a date, such as 2026-12-31."),
        ("Yes.", "2020-01-01", "Not restored. 2020-01-01 is over. Name a day that is still to come."),
    ],
)
def test_nonsense_restores_nothing(
    took: ProvisioningJob, clients: dict[str, Client], reason: str, day: str, told: str
) -> None:
    before = everything()
    assert press(clients["operator"], "restore", took, reason=reason, keep_until=day) == [told]
    assert everything() == before


def test_a_job_that_took_nothing_shows_no_restore(
    waiting: ProvisioningJob, clients: dict[str, Client]
) -> None:
    assert button("restore", waiting) not in forms(clients["superuser"].get(page(waiting)))
