"""The pages of access reviews: what a reviewer is shown and may do, and what whoever runs them sees."""

import hashlib
import html
import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from cakewalk.models import User
from directory.time_zones import today
from provisioning.reviews import evidence, running, under_way
from provisioning.reviews.models import Campaign, Exclusion
from tests.admin.browser import said
from tests.admin.builders import account, entitlement, exclusion, integration, job, review, staff, to_review
from tests.admin.live import signed_in
from tests.directory.builders import person

pytestmark = pytest.mark.django_db


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def page_of(campaign: Campaign, query: str = "") -> str:
    return f"{reverse('reviews:review', args=[campaign.public_id])}{query}"


def sent(campaign: Campaign, client: Client, **typed: Any) -> Any:
    seen_at = timezone.now().isoformat()
    return client.post(page_of(campaign), {"seen_at": seen_at, **typed}, follow=True)


@pytest.fixture
def asked() -> Campaign:
    """Rita has four lines, Olaf one."""
    rita, olaf = staff("rita", "Reviewer"), staff("olaf", "Reviewer")
    campaign = review(integration("Acme"), by=rita)
    to_review(campaign, rita, 4)
    to_review(campaign, olaf)
    return campaign


def test_who_finds_nobody_to_choose_reads_who_can_be_chosen() -> None:
    """As on the first day, when there is one user, without an address."""
    boss = User.objects.create_superuser("boss")
    answer = client_of(boss).get(reverse("admin:reviews_campaign_add"))
    chosen_from = answer.context["adminform"].form.fields["default_reviewer"]
    assert not chosen_from.queryset.exists()
    assert "users with the role Reviewer and an e-mail address" in answer.content.decode()


def test_a_reviewer_sees_their_own_lines_and_nothing_else(asked: Campaign) -> None:
    rita, olaf = (client_of(User.objects.get(username=name)) for name in ("rita", "olaf"))
    others = review(asked.integration, "Elsewhere", by=asked.default_reviewer)
    to_review(others, asked.default_reviewer)

    shown = olaf.get(page_of(asked)).content.decode()
    assert "user5@example.org" in shown
    assert "user1@example.org" not in shown
    assert "0 of 1 decided" in shown
    assert [olaf.get(page_of(others)).status_code, olaf.get(page_of(asked, "?show=all")).status_code] == [
        404,
        200,
    ]
    closed = ["admin:reviews_campaign_changelist", "admin:provisioning_account_changelist"]
    assert {olaf.get(reverse(name)).status_code for name in closed} == {403}
    home = rita.get(reverse("admin:index")).content.decode()
    assert "You have 4 lines to review until" in home
    assert "nothing more yet" not in home
    told = sent(asked, olaf, line=["1"], decision="keep")
    assert said(told) == ["Some of these lines are not yours to decide."]
    assert asked.items.exclude(decision="").count() == 0


def test_lines_are_decided_together_and_what_was_meanwhile_stays(asked: Campaign) -> None:
    rita = client_of(asked.default_reviewer)
    assert said(sent(asked, rita, line=["1", "2"], decision="revoke")) == ["To revoke needs a reason."]
    assert said(sent(asked, rita, line=["1", "2"], decision="revoke", reason="Left."))[0].startswith(
        "2 lines are"
    )
    early = (timezone.now() - timedelta(hours=1)).isoformat()
    told = rita.post(page_of(asked), {"seen_at": early, "line": ["2", "3"], "decision": "keep"}, follow=True)
    assert said(told)[0].startswith("Nothing was changed: 1 of these lines was decided")
    for wrong in ("", "yesterday", "2026-13-45T00:00", "2026-01-01T00:00:00"):
        told = rita.post(page_of(asked), {"seen_at": wrong, "line": ["3"], "decision": "keep"}, follow=True)
        assert said(told) == ["The page was not complete. Open it again."]
    assert said(sent(asked, rita, line=["x", "9" * 20], decision="keep")) == ["Choose at least one line."]

    shown = rita.get(page_of(asked)).content.decode()
    assert "2 of 4 decided" in shown
    assert "user2@example.org" not in shown  # those without a decision are shown at first
    assert "user2@example.org" in rita.get(page_of(asked, "?show=revoke&by=thing&q=user+2")).content.decode()
    assert list(asked.items.filter(decision="revoke").values_list("seq", flat=True)) == [1, 2]


def test_a_draft_shows_how_much_each_reviewer_would_get_and_is_opened_and_finished() -> None:
    """From the form to the job, by an operator who is also a reviewer."""
    olga, rita = staff("olga", "Operator", "Reviewer"), staff("rita", "Reviewer")
    acme = integration("Acme", mode="manage")
    job(acme, read={"held": [["project", "proj_search"]]})
    ada = person("ada@example.org", name="Ada", groups=("engineering",))
    account(acme, person=ada, email="ada@example.org")
    entitlement(acme)
    client = client_of(olga)
    typed = {
        "name": "Q4",
        "integration": acme.pk,
        "scope": "groups",
        "default_reviewer": olga.pk,
        "due_on": today() - timedelta(days=1),
        "remind_days": 3,
        "assignments-TOTAL_FORMS": 1,
        "assignments-INITIAL_FORMS": 0,
        "assignments-0-group": "",
    }
    add = reverse("admin:reviews_campaign_add")
    wrong = client.post(add, typed).content.decode()
    assert "This day is over." in wrong
    assert "Name at least one directory group." in wrong
    typed |= {
        "due_on": today(),
        "assignments-0-group": ada.groups.get().pk,
        "assignments-0-reviewer": rita.pk,
    }

    made = client.post(add, typed, follow=True).content.decode()

    campaign = Campaign.objects.get()
    own = reverse("admin:reviews_campaign_change", args=[campaign.pk])
    asks = 'hx-get="?counts=part"'
    assert asks in made  # where there are many accounts, it takes seconds
    for shown in ("page", "part"):
        counted = client.get(f"{own}?counts={shown}").content.decode()
        assert "2 lines, as they were read" in counted
        assert "rita@example.org" in counted
        assert "Open the review" in counted
        assert (asks in counted, "<html" in counted) == (False, shown == "page")
    for deed in ("open", "finish"):
        client.post(reverse(f"admin:reviews_campaign_{deed}", args=[campaign.pk]), {"reason": "Enough."})
        under_way.go_on(campaign.pk)
    campaign.refresh_from_db()
    assert (campaign.state, campaign.items.count(), campaign.made_by) == ("finished", 2, olga)
    page = client.get(reverse("admin:reviews_campaign_change", args=[campaign.pk])).content.decode()
    assert "What nobody decided kept its access" in page
    again = client.post(reverse("admin:reviews_campaign_open", args=[campaign.pk]), follow=True)
    assert said(again) == ["Nothing was changed. Q4 is finished already."]


def test_the_exports_of_a_finished_review_can_be_checked_by_anybody(asked: Campaign) -> None:
    rita = asked.default_reviewer
    running.decide(asked, [1, 2], "revoke", by=rita, reason="=cmd()", seen_at=timezone.now())
    running.finish(asked, by=rita, reason="Enough.")
    under_way.go_on(asked.pk)
    asked.refresh_from_db()
    auditor = client_of(staff("auditor", "Auditor"))

    def exported(kind: str) -> str:
        answer = auditor.get(reverse(f"admin:reviews_campaign_export_{kind}", args=[asked.pk]))
        return answer.getvalue().decode()

    document, table = json.loads(exported("json")), exported("csv").splitlines()

    fields = list(document)
    head = {name: document[name] for name in fields[: fields.index("close_reason") + 1]}
    names = list(document["lines"][0])
    upto = names[: names.index("changed_meanwhile") + 1]
    lines = [{name: line[name] for name in upto} for line in document["lines"]]
    canonical = [
        json.dumps(one, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for one in (head, *lines)
    ]
    assert hashlib.sha256("".join(f"{one}\n" for one in canonical).encode()).hexdigest() == document["digest"]
    assert (document["frozen"], document["numbers"]["undecided"]) == (True, 3)
    assert (len(table), table[0].split(",")[:3]) == (6, ["number", "account", "account_state"])
    assert "'=cmd()" in table[1]  # no spreadsheet takes it for a formula
    out = StringIO()
    call_command("reviews", "q4", "--json", stdout=out)
    assert json.loads(out.getvalue()) == evidence.document(asked)
    call_command("reviews", stdout=out)
    assert out.getvalue().endswith(
        f"Q4 of Acme: finished, due on {asked.due_on}; 5 lines, 2 revoked, 3 undecided.\n"
    )


def test_an_exception_is_on_the_persons_page_and_lifted_with_a_reason(asked: Campaign) -> None:
    ada = person("ada@example.org", name="Ada")
    Campaign.objects.update(state="finished")
    made = exclusion(asked, ada)
    client = client_of(staff("olga", "Operator"))

    shown = client.get(reverse("admin:directory_person_change", args=[ada.pk])).content.decode()
    assert "Not given, whatever the rules say" in shown
    lift = reverse("admin:reviews_exclusion_lift", args=[made.pk])
    assert said(client.post(lift, follow=True)) == ["Not lifted. Lifting an exception needs a reason."]
    assert said(client.post(lift, {"reason": "Back."}, follow=True))[0].startswith("The exception is lifted.")
    assert not Exclusion.objects.in_force().exists()
    assert said(client.post(lift, {"reason": "Back."}, follow=True)) == [
        "Not lifted. The exception is lifted already."
    ]


def test_home_tells_whoever_runs_reviews_what_is_late_or_left(asked: Campaign) -> None:
    client = client_of(staff("olga", "Operator"))
    Campaign.objects.update(due_on=today() - timedelta(days=1))
    assert "The review Q4 is overdue" in client.get(reverse("admin:index")).content.decode()

    asked.items.update(decision="revoke", decided_by=asked.default_reviewer, reason="Left.")
    Campaign.objects.update(state="finished")
    job(asked.integration, "cancelled", reviews=asked)
    assert (
        "What the review Q4 revoked is not carried out" in client.get(reverse("admin:index")).content.decode()
    )
    job(asked.integration, "awaiting_approval", reviews=asked)
    assert "is not carried out" not in client.get(reverse("admin:index")).content.decode()


def page_under_way(campaign: Campaign, client: Client, **headers: str) -> Any:
    return client.get(reverse("admin:reviews_campaign_change", args=[campaign.pk]), headers=headers)


def test_while_a_worker_is_at_it_the_page_says_so_and_asks_again_by_itself(asked: Campaign) -> None:
    olga, rita = staff("olga", "Operator"), client_of(asked.default_reviewer)
    client, auditor = client_of(olga), client_of(staff("auditor", "Auditor"))
    Campaign.objects.update(state="opening", asked_by=olga, asked_at=timezone.now(), share=0)

    shown = page_under_way(asked, client).content.decode()
    assert 'hx-trigger="every 1s"' in shown
    assert "Waiting for a worker" in shown
    assert "by olga." in shown
    assert "Nobody is asked before all lines are there." in shown
    assert "user1@example.org" not in shown
    stop = reverse("admin:reviews_campaign_stop", args=[asked.pk])
    assert (stop in shown, stop in page_under_way(asked, auditor).content.decode()) == (True, False)
    assert rita.get(page_of(asked)).status_code == 404  # a reviewer does not see half of the lines
    assert "Q4" not in rita.get(reverse("reviews:mine")).content.decode()
    Campaign.objects.update(holder="another", share=0.42)
    assert "Being opened: 42 %" in page_under_way(asked, client, hx_request="true").content.decode()
    assert "Being opened" in client.get(reverse("admin:reviews_campaign_changelist")).content.decode()

    for state in ("handing", "finishing", "cancelling"):
        Campaign.objects.update(state=state)
        decided = sent(asked, rita, line=["1"], decision="keep")
        assert said(decided)[0].endswith("at this moment. Wait until that has ended.")
    Campaign.objects.update(state="open")
    over = page_under_way(asked, client, hx_request="true", hx_target="under-way")
    assert (over.headers["HX-Refresh"], over.content) == ("true", b"")


def test_what_failed_is_told_on_the_page_until_it_is_asked_for_again(asked: Campaign) -> None:
    olga = staff("olga", "Operator")
    draft = review(asked.integration, "Next", by=asked.default_reviewer, state="draft")
    note = "An error in Cakewalk itself: ZeroDivisionError. The worker's log has more."
    Campaign.objects.update(note=note, asked_by=olga, asked_at=timezone.now())
    client = client_of(olga)
    for campaign in (asked, draft):
        shown = html.unescape(page_under_way(campaign, client).content.decode())
        assert "Nothing came of what olga asked for" in shown
        assert note in shown

    finish = reverse("admin:reviews_campaign_finish", args=[asked.pk])
    told = client.post(finish, {"reason": "Enough."}, follow=True)
    assert said(told)[0].startswith("Q4 is being finished.")
    stop = reverse("admin:reviews_campaign_stop", args=[asked.pk])
    told = client.post(stop, follow=True)
    assert said(told) == ["It is stopped: Q4 is as it was before."]
    assert "Nothing came of" not in told.content.decode()
    assert said(client.post(stop, follow=True)) == ["Nothing was changed. Q4 is open already."]


@pytest.mark.browser
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_draft_is_counted_after_its_page_is_there_and_opened(
    chromium: Browser, live_server: LiveServer
) -> None:
    rita = staff("rita", "Operator", "Reviewer")
    acme = integration("Acme")
    job(acme, read={})
    account(acme)
    draft = review(acme, by=rita, state="draft")
    with signed_in(chromium, live_server.url, rita) as page:
        page.goto(f"{live_server.url}{reverse('admin:reviews_campaign_change', args=[draft.pk])}")
        page.get_by_text("2 lines, as they were read").wait_for()
        page.get_by_role("button", name="Open the review").click()
        page.get_by_role("dialog").get_by_role("button", name="Open the review").click()
        page.get_by_text("Waiting for a worker").wait_for()
        under_way.go_on(draft.pk)
        page.get_by_text("0 of 2 decided").wait_for()
    assert draft.items.count() == 2


@pytest.mark.browser
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_lines_are_gone_through_with_the_keyboard_alone(chromium: Browser, live_server: LiveServer) -> None:
    rita = staff("rita", "Reviewer")
    campaign = review(integration("Acme"), by=rita)
    to_review(campaign, rita, 3)
    with signed_in(chromium, live_server.url, rita) as page:
        page.goto(page_of(campaign))
        for key in ("ArrowDown", "Space", "ArrowDown", "r"):
            page.keyboard.press(key)
        page.keyboard.type("Left.")
        page.keyboard.press("Enter")
        page.get_by_text("1 line is to be revoked").wait_for()
        for key in ("ArrowDown", "ArrowDown", "k"):
            page.keyboard.press(key)
        page.get_by_text("1 line is kept").wait_for()
        page.locator("[name=reason]").fill("Enter here decides nothing.")
        page.keyboard.press("Enter")

    decided = campaign.items.exclude(decision="").order_by("seq").values_list("seq", "decision", "reason")
    assert list(decided) == [(1, "revoke", "Left."), (3, "keep", "")]
