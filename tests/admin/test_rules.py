"""Whoever writes a rule is told whom it touches, before anything is done; and picks what is there."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from directory.models import Group
from integrations.models import Integration
from provisioning.admin import forecasting
from provisioning.models import AccessRule, GroupRule
from provisioning.touching import Effect, Touched
from tests.admin.browser import Typed, as_shown
from tests.admin.builders import account, entitlement, group_rule, integration, job, rule, staff
from tests.admin.deeds import everything
from tests.admin.live import complaints, signed_in
from tests.admin.roles import OPERATOR
from tests.directory.builders import person

pytestmark = pytest.mark.django_db

ADD = "/admin/provisioning/accessrule/add/"
LIST = "/admin/provisioning/accessrule/"


@pytest.fixture
def operator(clients: dict[str, Client]) -> Client:
    return clients[OPERATOR]


@pytest.fixture
def acme() -> Integration:
    """Ada and Bob are members by the rule Engineers, Cleo is none, and Dora left."""
    made = integration("Acme", mode="manage", first_removals="allow")
    job(made, read={"held": [["project", "proj_search"]]})
    entitlement(made, "Search")
    entitlement(made, "Voice", holders=None)
    for name in ("ada", "bob"):
        somebody = person(f"{name}@example.org", groups=("engineering",))
        account(made, name, person=somebody, email=somebody.email, match="email")
    person("cleo@example.org", groups=("sales",))
    person("dora@example.org", groups=("sales",), active=False)
    engineers = rule(made, group=_group("engineering"), state="active", grants=0)
    engineers.grants.create(name="Search", role="member")
    return made


def _group(name: str) -> Group:
    return person(f"lead-{name}@example.org", groups=(name,), active=False).groups.get()


def typed(acme: Integration, *grants: tuple[str, str], **more: object) -> Typed:
    entered: Typed = {"name": "Sales", "integration": acme.pk, "role": "reader", "state": "draft"}
    entered |= {"grants-TOTAL_FORMS": len(grants), "grants-INITIAL_FORMS": 0}
    for place, (name, role) in enumerate(grants):
        entered |= {f"grants-{place}-kind": "project", f"grants-{place}-name": name}
        entered |= {f"grants-{place}-role": role}
    return entered | more


def words(html: str) -> str:
    """What is read, without what it is marked with."""
    seen = re.sub(r'<span class="cw-sr">.*?</span>', "", html)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", seen)).replace("&#x27;", "'")


def foretold(client: Client, page: str, entered: Typed) -> str:
    before = everything()
    answer = client.post(page, entered | {"_foresee": "part"})
    assert everything() == before
    return words(answer.content.decode())


def hidden_in(answer: Any) -> Typed:
    """What the page's own button sends back."""
    main = answer.content.decode().partition("<main")[2]
    sent = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', main)
    return {name: value for name, value in sent if name != "csrfmiddlewaretoken"}


def chosen(action: str, name: str = "Engineers") -> Typed:
    """A rule and what to do with it, as the list sends it."""
    return {"action": action, "index": "0", "_selected_action": [AccessRule.objects.get(name=name).pk]}


def engineers_page() -> str:
    return reverse("admin:provisioning_accessrule_change", args=[AccessRule.objects.get(name="Engineers").pk])


def test_a_draft_tells_whom_it_would_touch_were_it_active(operator: Client, acme: Integration) -> None:
    told = foretold(operator, ADD, typed(acme, ("Search", "member"), group=_group("sales").pk))

    assert "Not active, so nothing comes about. Were it active:" in told
    assert "People it covers 1 Members already 0 Invited already 0 Without an account 1" in told
    assert "1 person would be invited cleo@example.org" in told
    assert "1 would gain the project Search (member) cleo@example.org" in told
    assert "As of the last complete read of Acme" in told


def test_what_nobody_has_read_is_not_guessed(operator: Client, acme: Integration) -> None:
    told = foretold(operator, ADD, typed(acme, ("Voice", "member"), ("Nowhere", "member")))

    assert "Who holds the project Voice now is not known" in told
    assert "There is no project named 'Nowhere'." in told
    assert "1 person would be invited" in told


def test_without_a_complete_read_people_are_counted_and_nothing_else(operator: Client) -> None:
    person("ada@example.org", groups=("engineering",))

    told = foretold(operator, ADD, typed(integration("New")))

    assert "People it covers 1 New was never read completely" in told


def test_a_form_that_is_not_complete_says_what_is_missing(operator: Client, acme: Integration) -> None:
    assert "Not complete yet: Name: This field is required." in foretold(operator, ADD, typed(acme, name=""))


@pytest.mark.parametrize(
    ("name", "said"), [("Sales", "1 person would be invited"), ("", "Name: This field is required.")]
)
def test_without_a_script_a_page_of_its_own_tells_it_and_has_nothing_to_agree_to(
    operator: Client, acme: Integration, name: str, said: str
) -> None:
    told = operator.post(ADD, typed(acme, group=_group("sales").pk, name=name) | {"_foresee": "page"})

    main = told.content.decode().partition("<main")[2]
    assert "Nothing was saved." in main
    assert said in words(main)
    assert "Back, change nothing" in main
    assert "cw-button--" not in main


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("observe", "Acme is in mode observe: nothing is changed there, and all this would be reported."),
        ("extend", "what takes away is only reported."),
    ],
)
def test_the_mode_says_what_would_be_reported_instead(
    operator: Client, acme: Integration, mode: str, said: str
) -> None:
    Integration.objects.update(mode=mode)
    told = foretold(
        operator, engineers_page(), as_shown(operator, engineers_page(), "accessrule_form", state="draft")
    )

    assert said in told
    assert "2 people would be removed from the organization ada@example.org, bob@example.org" in told
    assert "2 only reported" in told


def test_an_active_rule_is_changed_after_a_second_look_only(operator: Client, acme: Integration) -> None:
    page = engineers_page()
    changed = as_shown(operator, page, "accessrule_form", **{"grants-0-DELETE": "on"})
    before = everything()

    question = operator.post(page, changed | {"_continue": "1"})
    told = operator.post(page, hidden_in(question))

    assert everything() == before
    asked = words(told.content.decode())
    assert "Change the active rule Engineers? From the next sync on, this is what changes:" in asked
    assert "People it covers 2 Members already 2" in asked
    hidden = hidden_in(told)
    assert (hidden["grants-0-DELETE"], hidden["_continue"], hidden["_agreed"]) == ("on", "1", "yes")
    operator.post(page, hidden)
    assert not AccessRule.objects.get(name="Engineers").grants.exists()


def test_what_changes_nobody_s_access_is_saved_at_once(operator: Client, acme: Integration) -> None:
    assert operator.post(ADD, typed(acme)).status_code == 302
    page = engineers_page()
    assert operator.post(page, as_shown(operator, page, "accessrule_form")).status_code == 302


def test_who_goes_over_the_limit_is_told_before_it_is_done(operator: Client, acme: Integration) -> None:
    Integration.objects.update(removal_limit_count=1)
    before = everything()

    question = operator.post(LIST, chosen("draft"))
    told = words(operator.post(LIST, hidden_in(question)).content.decode())

    assert everything() == before
    assert "Take 1 rule out of force?" in told
    assert "2 people would be removed from the organization ada@example.org, bob@example.org" in told
    assert "2 would wait for approval" in told
    assert "2 of 2 accounts would lose access, the limit is 1." in told


def test_deleting_a_rule_tells_who_loses_what(operator: Client, acme: Integration) -> None:
    page = reverse("admin:provisioning_accessrule_delete", args=[AccessRule.objects.get().pk])

    for told in (
        operator.get(page, {"counts": "page"}),
        operator.post(LIST, hidden_in(operator.post(LIST, chosen("delete_selected")))),
    ):
        assert "2 people would be removed from the organization ada" in words(told.content.decode())
        assert hidden_in(told)["post"] == "yes"
    assert AccessRule.objects.exists()


def asked_of(operator: Client) -> list[Any]:
    """Everything that is asked before it is done to an active rule."""
    page = engineers_page()
    return [
        operator.post(page, as_shown(operator, page, "accessrule_form", state="draft")),
        operator.post(LIST, chosen("draft")),
        operator.post(LIST, chosen("delete_selected")),
        operator.get(reverse("admin:provisioning_accessrule_delete", args=[AccessRule.objects.get().pk])),
    ]


def test_a_question_comes_at_once_and_is_answered_when_it_is_known_whom_it_touches(
    operator: Client, acme: Integration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forecasting, "foresee", None)

    for question in asked_of(operator):
        html = question.content.decode()
        assert 'hx-trigger="load"' in html
        assert "Being worked out." in html
        assert {"_agreed", "post"}.isdisjoint(hidden_in(question))


def test_to_ask_whom_it_touches_does_nothing_where_nothing_is_left_to_agree_to(
    operator: Client, acme: Integration
) -> None:
    """As when somebody else was faster."""
    page = engineers_page()
    rule(acme, "Sales", state="draft")
    before = everything()

    operator.post(page, as_shown(operator, page, "accessrule_form") | {"counts": "page"})
    operator.post(LIST, chosen("propose", "Sales") | {"counts": "page"})

    assert everything() == before


@pytest.mark.parametrize("how", ["a question", "a forecast"])
def test_a_question_and_its_forecast_ask_no_more_of_the_database_for_more_people(
    operator: Client, acme: Integration, how: str
) -> None:
    page = engineers_page()
    changed = as_shown(operator, page, "accessrule_form", state="draft")
    changed |= {"counts": "page"} if how == "a forecast" else {}
    asked = []
    for many in (0, 30):
        for number in range(many):
            somebody = person(f"p{number}@example.org", groups=("engineering",))
            account(acme, f"p{number}", person=somebody, email=somebody.email, match="email")
        with CaptureQueriesContext(connection) as queries:
            assert operator.post(page, changed).status_code == 200
        asked.append(len(queries))

    assert asked[0] == asked[1]


def test_whoever_may_not_see_people_is_told_numbers_alone(acme: Integration) -> None:
    clerk = staff("clerk")
    for name in ("view", "change"):
        clerk.user_permissions.add(Permission.objects.get(codename=f"{name}_accessrule"))
    client = Client()
    client.force_login(clerk)
    page = engineers_page()

    told = foretold(client, page, as_shown(client, page, "accessrule_form", state="draft"))

    assert "2 people would be removed from the organization" in told
    assert "ada@" not in told


def test_who_was_missing_from_the_last_read_is_no_member(operator: Client, acme: Integration) -> None:
    before_it = timezone.now() - timedelta(days=1)
    acme.accounts.filter(remote_id="bob").update(last_seen_at=before_it, missing_since=before_it)

    changed = as_shown(operator, engineers_page(), "accessrule_form", state="draft")
    told = foretold(operator, engineers_page(), changed)

    assert "People it covers 2 Members already 1 Invited already 0 Without an account 1" in told
    assert "1 person would be removed from the organization ada@example.org " in told


def test_many_people_are_told_with_their_thousands_parted() -> None:
    gone = Touched(Effect.REMOVED, None, tuple(f"p{n}@example.org" for n in range(1234)), held=1200)

    line = forecasting._line(gone, by_name=True)

    assert line.text == "1,234 people would be removed from the organization"
    assert line.notes == (("1,200 would wait for approval", "warning"),)
    with translation.override("de"):
        assert forecasting._line(gone, by_name=True).text.startswith("1.234 Personen")


def test_a_group_rule_tells_which_groups_gain_and_lose(operator: Client, acme: Integration) -> None:
    entitlement(acme, "platform", kind="group", remote_id="g1", group_roles={"Search": ["viewer"]})
    acme.entitlements.filter(name="Search").update(group_roles={"platform": ["viewer"]})
    made = group_rule(acme, "platform", state="active", grants=0)
    made.grants.create(name="Search", role="viewer")
    page = reverse("admin:provisioning_grouprule_change", args=[GroupRule.objects.get().pk])

    told = foretold(operator, page, as_shown(operator, page, "grouprule_form", **{"grants-0-role": "owner"}))

    assert "1 would gain the project role Search: owner" in told
    assert "1 would lose the project role Search: viewer platform (group)" in told


def test_names_are_offered_as_they_were_read(operator: Client, acme: Integration) -> None:
    for number in range(30):
        entitlement(acme, f"Lab {number}")
    names = reverse("admin:provisioning_accessrule_names")

    def offered(typed: str, kind: str = "project") -> dict[str, Any]:
        asked = {"integration": str(acme.pk), "kind": kind, "q": typed}
        return dict(operator.get(names, asked).json())

    assert offered("search") == {
        "names": [{"name": "Search", "note": "There; 3 members hold it."}],
        "exact": "There; 3 members hold it.",
        "known": True,
    }
    assert len(offered("lab")["names"]) == 20
    assert offered("Nowhere") == {"names": [], "exact": None, "known": True}
    assert offered("x", kind="group") == {"names": [], "exact": None, "known": False}


def test_the_list_tells_how_many_a_rule_covers_and_what_it_lacks(operator: Client, acme: Integration) -> None:
    AccessRule.objects.get().grants.create(name="Nowhere", role="member")
    rule(acme, "Everybody", grants=0)

    shown = words(operator.get(LIST).content.decode())

    assert re.search(r"Engineers Acme engineering 2 reader .* Not there: Nowhere Active", shown)
    assert re.search(r"Everybody Acme Every active person 3 reader - - Draft", shown)


@pytest.mark.browser
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_rule_is_written_looked_at_and_activated_with_the_keyboard(
    chromium: Browser, live_server: LiveServer
) -> None:
    acme = integration("Acme", mode="manage", first_removals="allow")
    job(acme, read={"held": [["project", "proj_search"]]})
    entitlement(acme, "Search")
    person("cleo@example.org", groups=("sales",))
    with signed_in(chromium, live_server.url, staff("boss", is_superuser=True)) as page:
        heard = complaints(page)
        page.goto(ADD)
        page.get_by_label("Name", exact=False).first.fill("Sales")
        page.get_by_text("Add another Grant").click()
        kind, role = page.locator("#id_grants-0-kind"), page.locator("#id_grants-0-role")
        kind.select_option("group")
        expect(role.locator("option")).to_have_text(["member"])
        expect(page.locator("#id_grants-0-create")).to_be_enabled()
        kind.select_option("role")
        expect(page.locator("#id_grants-0-create")).to_be_disabled()
        kind.select_option("project")
        expect(role).to_have_value("member")
        name = page.locator("#id_grants-0-name")
        name.press_sequentially("Sea")
        expect(page.locator("#cw-names option")).to_have_count(1)
        expect(page.locator("#id_grants-0-name_note")).to_contain_text(
            "Not there as of the last complete read"
        )
        name.fill("Search")
        expect(page.locator("#id_grants-0-name_note")).to_have_text("There; 3 members hold it.")
        name.press("Tab")
        forecast = page.locator("[data-forecast]")
        expect(forecast).to_contain_text("1 person would be invited")
        page.locator("input[name=state][value=draft]").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        expect(forecast).not_to_contain_text("Not active")
        page.get_by_role("button", name="Save", exact=True).press("Enter")
        expect(page.get_by_role("heading", name="Activate the rule Sales?")).to_be_visible()
        assert not AccessRule.objects.exists()
        page.get_by_role("button", name="Activate it").press("Enter")
        page.wait_for_url("**/accessrule/")
        assert page.evaluate("window.violations") + heard == []
    made = AccessRule.objects.get()
    assert (made.state, [str(one) for one in made.grants.all()]) == ("active", ["project Search as member"])


@pytest.mark.browser
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_forecast_that_does_not_come_is_told_by_name_and_asked_for_once_more(
    chromium: Browser, live_server: LiveServer
) -> None:
    acme = integration("Acme", mode="manage")
    job(acme, read={})
    rule(acme, state="active", grants=0)
    fails = {"status": 500, "headers": {"X-Request-ID": "a1b2"}, "body": "<html>No.</html>"}
    with signed_in(chromium, live_server.url, staff("boss", is_superuser=True)) as page:
        delete = reverse("admin:provisioning_accessrule_delete", args=[AccessRule.objects.get().pk])
        for answer, told in (
            (lambda route: route.fulfill(**fails), "the server answered 500, number a1b2 in its log."),
            (lambda route: route.abort(), "the server cannot be reached."),
            (lambda route: route.fulfill(body="<html>Sign in</html>"), "another page came in its place"),
        ):
            page.route("**/*counts=page", answer)
            page.goto(delete)
            expect(page.locator("[data-failure]")).to_contain_text(told)
            expect(page.get_by_text("Being worked out.")).to_be_hidden()
            expect(page.get_by_role("button", name="Yes, I")).to_have_count(0)
            page.unroute("**/*counts=page")
        page.get_by_role("link", name="Show it").click()
        expect(page.get_by_text("As of the last complete read of Acme")).to_be_visible()
        page.get_by_role("button", name="Yes, I").click()
        page.wait_for_url("**/accessrule/")
    assert not AccessRule.objects.exists()
