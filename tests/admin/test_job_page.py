"""What staff see of a job: its plan by situation, its numbers, its phases; and its permanent address."""

import csv
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from provisioning.actions import Situation
from provisioning.admin.job_plan import HEADINGS, PER_PAGE
from provisioning.models import Action, ProvisioningJob
from tests.admin.browser import said
from tests.admin.builders import PASSWORD, Company, action, awaiting, integration, job, staff
from tests.directory.builders import person

State = ProvisioningJob.State


def page(of: ProvisioningJob) -> str:
    return reverse("admin:provisioning_provisioningjob_change", args=[of.pk])


def button(name: str, of: ProvisioningJob) -> str:
    return reverse(f"admin:provisioning_provisioningjob_{name}", args=[of.pk])


def many(of: ProvisioningJob, number: int, **values: Any) -> None:
    first = of.actions.count() + 1
    shared = {"kind": "remove", "situation": "leaver", "state": "held", "taking": True} | values
    Action.objects.bulk_create(
        Action(job=of, seq=seq, email=f"p{seq}@example.org", **shared) for seq in range(first, first + number)
    )


def test_every_situation_has_a_heading() -> None:
    assert {*map(str, Situation)} <= set(HEADINGS)


def test_a_plan_is_shown_by_situation_with_counts_by_kind(clients: dict[str, Client]) -> None:
    made = job(integration())
    many(made, 3)
    many(made, 2, kind="withdraw_invite")
    many(made, 4, kind="invite", situation="joiner", state="done", taking=False)
    many(made, 1, kind="report", situation="orphan", state="done", taking=False)

    plan = clients["auditor"].get(page(made)).context["plan"]

    assert [(str(group.name), group.number, group.kinds, group.held) for group in plan.groups] == [
        ("Leavers", 5, [("Withdraw invite", 2), ("Remove", 3)], 5),
        ("Joiners", 4, [("Invite", 4)], 0),
        ("Orphans", 1, [("Report", 1)], 0),
    ]
    assert [len(group.lines) for group in plan.groups] == [5, 4, 1]


def test_a_long_plan_shows_its_situations_and_the_lines_of_one_page_by_page(
    clients: dict[str, Client],
) -> None:
    made = job(integration())
    many(made, PER_PAGE + 5)
    many(made, 7, kind="invite", situation="joiner", state="done", taking=False)

    whole = clients["auditor"].get(page(made)).context["plan"]
    second = clients["auditor"].get(f"{page(made)}?situation=leaver&page=2").context["plan"]
    held = clients["auditor"].get(f"{page(made)}?show=done").context["plan"]

    opened = [None if group.lines is None else len(group.lines) for group in whole.groups]
    assert opened == [PER_PAGE, None]
    assert [None if group.lines is None else len(group.lines) for group in second.groups] == [5, None]
    assert [line["row"].seq for line in second.groups[0].lines] == [101, 102, 103, 104, 105]
    assert [(group.key, len(group.lines or [])) for group in held.groups] == [("joiner", 7)]


@pytest.mark.parametrize("query", ["show=nonsense", "situation=nonsense", "situation=%00", "show=%00&page=x"])
def test_nonsense_in_the_address_shows_nothing_and_breaks_nothing(
    clients: dict[str, Client], query: str
) -> None:
    made = job(integration())
    many(made, PER_PAGE + 1)

    answer = clients["auditor"].get(f"{page(made)}?{query}")
    exported = clients["auditor"].get(f"{button('export', made)}?{query}")

    assert not any(group.lines for group in answer.context["plan"].groups)
    assert len(b"".join(exported).decode().splitlines()) == 1  # the names of the columns


@pytest.mark.parametrize("number", ["-1", "x", "0", "99"])
def test_a_page_that_there_is_not_is_another(clients: dict[str, Client], number: str) -> None:
    made = job(integration())
    many(made, PER_PAGE + 1)

    plan = clients["auditor"].get(f"{page(made)}?page={number}").context["plan"]

    assert plan.groups[0].lines


def test_a_line_says_why_in_plain_words(clients: dict[str, Client]) -> None:
    made = job(integration())
    left = {"code": "left_group", "group": "engineering", "at": "2026-03-03T09:00:00+00:00", "by": "hr.csv"}
    many(made, 1, reasons=[left, {"code": "no_rule"}], detail="No access rule gives access any more.")

    html = clients["auditor"].get(page(made)).content.decode()

    assert "Left <em>engineering</em> on 3 Mar 2026 (hr.csv); no rule gives access any more." in html


def test_numbers_can_be_checked_at_a_glance(clients: dict[str, Client]) -> None:
    made = awaiting(integration(), held=3)
    made.outlook = {
        "accounts": 250,
        "owners": 4,
        "planned": {"accounts": 1, "owners": 0, "lose": 0},
        "held": {"accounts": -3, "owners": -1, "lose": 3},
    }
    made.save()

    answer = clients["approver"].get(page(made))

    shown = answer.context["outlook"]
    assert (shown["accounts"], shown["owners"]) == ([250, 251, 248], [4, 4, 3])
    assert (shown["held"], shown["held_share"]) == (3, "1.2")
    html = answer.content.decode()
    dialog = html[html.index('id="approve-dialog"') : html.index('id="reject-dialog"')]
    assert "251 → 248" in dialog


def test_a_job_is_found_by_its_permanent_address_after_signing_in(company: Company) -> None:
    made = company.waiting
    link = reverse("job", args=[made.public_id])
    staff("alice", "Auditor")
    client = Client()

    asked = client.get(link)
    assert (asked.status_code, asked["Location"]) == (302, f"{reverse('admin:login')}?next={link}")
    signed_in = client.post(asked["Location"], {"username": "alice", "password": PASSWORD, "next": link})
    assert signed_in["Location"] == link
    assert client.get(link)["Location"] == page(made)
    assert link in client.get(page(made)).content.decode()


def test_strangers_do_not_learn_whether_there_is_such_a_job(
    company: Company, clients: dict[str, Client]
) -> None:
    there = reverse("job", args=[company.waiting.public_id])
    nowhere = reverse("job", args=["00000000-0000-4000-8000-000000000000"])

    for link in (there, nowhere):
        assert Client().get(link)["Location"] == f"{reverse('admin:login')}?next={link}"
        assert clients["nobody"].get(link).status_code == 403
    assert clients["auditor"].get(nowhere).status_code == 404


def test_a_rejection_is_told_wherever_the_job_is_shown(clients: dict[str, Client]) -> None:
    made = awaiting(integration(), held=2)
    day = timezone.localdate().isoformat()

    answer = clients["approver"].post(button("reject", made), {"reason": "On leave.", "keep_until": day})

    assert said(answer) == [
        f"{made} is rejected. 1 of 3 actions was done before and stays done; 2 are skipped."
    ]
    made.refresh_from_db()
    assert (made.state, made.rejected_by.username) == (State.CANCELLED, "approver")
    assert set(made.integration.marks.values_list("email", flat=True)) == {
        "gone0@example.org",
        "gone1@example.org",
    }
    html = unescape(clients["auditor"].get(page(made)).content.decode())
    assert "An approver rejected what it held." in html
    assert "by approver: On leave." in html
    assert (
        "Rejected"
        in clients["auditor"].get(reverse("admin:provisioning_provisioningjob_changelist")).content.decode()
    )


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"reason": " "}, "Not rejected. A rejection needs a reason."),
        ({"reason": "x" * 501}, "Not rejected. A reason is a text of at most 500 characters."),
        (
            {"reason": "No.", "keep_until": "soon"},
            "Not rejected. The last day must be a date, such as 2026-12-31.",
        ),
        (
            {"reason": "No.", "keep_until": "2020-01-01"},
            "Not rejected. 2020-01-01 is over. Name a day that is still to come.",
        ),
    ],
)
def test_nonsense_rejects_nothing(clients: dict[str, Client], typed: dict[str, str], told: str) -> None:
    made = awaiting(integration(), held=1)

    assert said(clients["approver"].post(button("reject", made), typed)) == [told]

    made.refresh_from_db()
    assert (made.state, made.actions.filter(state="held").count()) == (State.AWAITING_APPROVAL, 1)


def test_run_again_asks_for_a_job_of_the_same_kind_about_the_same_people(clients: dict[str, Client]) -> None:
    acme, ada = integration(), person("ada@example.org")
    preview = job(acme, preview=True)
    alone = job(acme, scope="people")
    alone.changes.create(integration=acme, person=ada, known_at=timezone.now())

    first = clients["operator"].post(button("again", preview))
    second = clients["operator"].post(button("again", alone))

    again, again_alone = ProvisioningJob.objects.order_by("pk")[2:]
    assert (first["Location"], second["Location"]) == (page(again), page(again_alone))
    assert (again.preview, again.scope, again_alone.preview) == (True, "everyone", False)
    assert list(again_alone.people.all()) == [ada]


def test_the_lines_are_exported_as_they_are_filtered(clients: dict[str, Client]) -> None:
    made = job(integration())
    many(made, 2, reasons=[{"code": "no_rule"}])
    many(made, 3, kind="invite", situation="joiner", state="done", taking=False)

    def exported(query: str) -> list[dict[str, str]]:
        answer = clients["auditor"].get(f"{button('export', made)}{query}", HTTP_ACCEPT_LANGUAGE="de")
        return list(csv.DictReader(b"".join(answer).decode("utf-8-sig").splitlines()))

    assert len(exported("")) == 5
    assert [row["email"] for row in exported("?situation=leaver")] == ["p1@example.org", "p2@example.org"]
    assert {row["why"] for row in exported("?show=held")} == {"No rule gives access any more."}


def test_failures_say_what_to_do_next(clients: dict[str, Client]) -> None:
    made = job(integration(), State.PARTIAL)
    many(made, 2, state="refused", error={"code": "last_owner", "detail": "Nobody would be left."})
    action(made, "grant", "failed", error={"code": "rate_limited", "detail": "Slow down."})

    html = unescape(clients["operator"].get(page(made)).content.decode())

    assert "Make somebody else an owner first" in html
    assert "2 lines" in html
    assert "a longer interval leaves it more room" in html


def test_the_phases_of_a_job_are_told_with_how_long_they_took(clients: dict[str, Client]) -> None:
    made = job(integration(), State.RUNNING, phase="reading", holder="box/1/a")
    made.phases = made.phases_and("reading", now=timezone.now())
    made.save()

    answer = clients["auditor"].get(page(made))

    assert [(span.phase, span.runs) for span, _ in answer.context["spans"]] == [
        ("queued", False),
        ("reading", True),
    ]
    html = answer.content.decode()
    assert "data-counts=" in html
    assert f'data-says="{made}: Running. Read"' in html
