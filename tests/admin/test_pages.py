"""What the pages show: all of them, with something on each, at a constant price, and never a secret."""

import re
from datetime import date, timedelta
from html import escape, unescape
from itertools import groupby, islice
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve, reverse
from django.utils import timezone

from cakewalk import portions
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from cakewalk.signing_in import sessions
from cakewalk.signing_in.site import Site
from directory.models import Group, Person, Source
from integrations.models import Credential, Integration
from provisioning.models import AccessRule, Account, Action, Key, Mark, ProvisioningJob, RuleGrant
from provisioning.reviews.models import Campaign, Exclusion, Item
from tests import effort
from tests.admin.browser import as_shown, forms, said
from tests.admin.builders import ACTIONS, Company, account, action, integration, job, mark, rule, staff
from tests.admin.deeds import everything
from tests.admin.pages import address, page_names
from tests.admin.roles import AUDITOR, NOBODY, OPERATOR, READERS, ROLES, SHOWN_TO, SUPERUSER
from tests.directory.builders import person
from tests.ledger.told import last_seq, told
from tests.web.headers import wrong_headers

LISTS = [name for name in page_names() if name.endswith("_changelist")]

EXPORTS = [name for name in page_names() if "_export" in name]


def text(client: Client, name: str, company: Company, query: str = "") -> str:
    answer = client.get(f"{address(name, company)}{query}")
    assert (name, answer.status_code) == (name, 200)
    return answer.getvalue().decode(errors="replace")  # a workbook is no text


def pages_of(role: str) -> list[str]:
    return [name for name in page_names() if role in SHOWN_TO[name]]


def queries(client: Client, company: Company, names: list[str]) -> dict[str, int]:
    counted = {}
    for name in names:
        with CaptureQueriesContext(connection) as asked:
            text(client, name, company)
        counted[name] = len(asked)
    return counted


@pytest.mark.soak
@pytest.mark.parametrize("role", [AUDITOR, SUPERUSER])
def test_a_page_asks_for_a_dozen_rows_as_often_as_for_three(
    company: Company, clients: dict[str, Client], role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOVED_ON_AFTER", 3600)  # which a page asks for now and then
    monkeypatch.setattr(portions, "FIRST", 1000)  # an export asks once more for each portion
    company.grow(3)
    names = pages_of(role)
    ContentType.objects.get_for_models(*apps.get_models())  # what is asked once and then remembered
    # The export of the ledger asks by the portion, and what is asked here makes it longer.
    names = [name for name in names if not name.startswith("admin:ledger_entry_export")]
    few = queries(clients[role], company, names)

    company.grow(9, first=3)

    assert queries(clients[role], company, names) == few
    assert few.pop("admin:directory_person_change") < 33  # it tells all that is known, of every integration
    assert max(few.values()) < 25


def test_every_export_is_sent_while_it_is_read(company: Company, clients: dict[str, Client]) -> None:
    answers = {name: clients[SUPERUSER].get(address(name, company)) for name in EXPORTS}

    assert len(answers) > 12
    assert [name for name, answer in answers.items() if not answer.streaming] == []


def test_no_page_shows_a_secret_or_how_it_is_stored_or_changes_anything(
    company: Company, clients: dict[str, Client]
) -> None:
    company.grow(3)
    superuser, before, since = clients[SUPERUSER], everything(), last_seq()
    secrets = {credential.secret.reveal() for credential in Credential.objects.all()}
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM integrations_credential")
        secrets |= {stored for (stored,) in cursor.fetchall()}

    answers = {name: superuser.get(address(name, company)) for name in page_names()}

    assert {name: wrong_headers(answer) for name, answer in answers.items()} == {name: {} for name in answers}
    shown = {name: answer.getvalue().decode(errors="replace") for name, answer in answers.items()}
    assert everything() == before
    assert set(told(since)) == {("superuser", Verb.EXPORT_BEGUN), ("superuser", Verb.EXPORTED)}
    assert len(secrets) == 4 + 5  # two integrations share a key, and no key is encrypted twice alike
    assert [name for name, html in shown.items() if any(secret in html for secret in secrets)] == []
    assert company.acme.credential.hint in shown["admin:integrations_integration_change"]


def test_what_people_and_remotes_write_is_text_and_never_markup(
    company: Company, clients: dict[str, Client]
) -> None:
    company.grow(2)
    evil = "<script>alert('x')</script>"
    told = {"code": evil, "detail": evil}
    Integration.objects.filter(pk=company.acme.pk).update(name=evil)
    Person.objects.update(name=evil, department=evil, title=evil)
    Source.objects.filter(pk=company.rows["directory_source"].pk).update(name=evil)
    Group.objects.filter(pk=company.rows["directory_group"].pk).update(name=evil)
    AccessRule.objects.filter(pk=company.rows["provisioning_accessrule"].pk).update(name=evil)
    RuleGrant.objects.filter(name="More 0").update(name=evil)
    Mark.objects.update(reason=evil)
    Account.objects.update(name=evil, email=evil, role=evil)
    Key.objects.update(name=evil, place=evil, owner_name=evil, shown=evil[:30])
    Action.objects.update(email=evil, detail=evil, rule=evil, error=told, request_id=evil, account_id=evil)
    decided = {"code": evil, "by": evil, "from": evil, "at": timezone.now().isoformat(), "reason": evil}
    ProvisioningJob.objects.update(overrides=[decided], releases=[decided])
    ProvisioningJob.objects.update(
        holds=[told], error=told, refusal=told, progress=evil, approval_reason=evil, digest=evil
    )
    Item.objects.update(person_name=evil, entitlement_name=evil, reason=evil, given_by=[evil], meanwhile=evil)
    Campaign.objects.update(close_reason=evil, not_covered=[evil])
    Campaign.objects.filter(pk=company.rows["reviews_campaign"].pk).update(name=evil)
    Exclusion.objects.update(reason=evil, rules=evil, entitlement_name=evil)
    for row in company.rows.values():
        record(Verb.CHANGED, row, before={evil: evil}, after={evil: [evil]}, facts={evil: {evil: evil}})

    # These answer JSON and CSV.
    html_pages = set(pages_of(SUPERUSER)) - {"admin:autocomplete", *EXPORTS}
    shown = {name: text(clients[SUPERUSER], name, company) for name in html_pages}

    assert [name for name, html in shown.items() if evil in html] == []
    assert len([name for name, html in shown.items() if escape(evil) in html]) > 20


def test_a_key_that_was_typed_is_not_sent_back(company: Company, clients: dict[str, Client]) -> None:
    typed = {"name": "", "secret": company.secret, "base_url": company.base_url, "_enable": "1"}

    for name in ("integrations:connect", "integrations:credential"):
        answer = clients[OPERATOR].post(address(name, company), typed)
        assert answer.status_code == 200
        assert company.secret not in answer.content.decode()


def some_of_each_kind(links: set[str]) -> list[str]:
    """Of fifty actions one. `.ci/run` follows all."""
    kinds = groupby(sorted(links, key=view), view)
    return [link for _, those in kinds for link in islice(those, None if effort.SOAK else 1)]


def view(link: str) -> str:
    return resolve(link).view_name


@pytest.mark.parametrize("role", ROLES)
def test_nobody_is_led_to_what_they_may_not_see_or_offered_what_they_may_not_do(
    company: Company, clients: dict[str, Client], role: str
) -> None:
    opened, links, buttons = {}, set(), set()
    for name in pages_of(role):
        here = address(name, company)
        answer = clients[role].get(here)
        opened[here] = answer.status_code
        if "html" in answer["Content-Type"]:
            found = re.findall(r'(?:href|hx-get)="([^"]+)"', answer.content.decode())
            links |= {urlsplit(urljoin(here, unescape(link))).path for link in found}
            buttons |= {pressed for pressed in forms(answer) if pressed.startswith("/")}

    assert opened == dict.fromkeys(opened, 200)
    followed = some_of_each_kind({link for link in links if link.startswith("/admin/")} - opened.keys())
    answers = {link: clients[role].get(link, follow=True).status_code for link in followed}
    assert answers == dict.fromkeys(followed, 200)
    pressed = {button: clients[role].post(button).status_code for button in buttons}
    assert pressed == {button: 200 if button.endswith("/download/") else 302 for button in buttons}


def test_no_page_lists_every_table_for_nobody_to_see(
    company: Company, clients: dict[str, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To ask who may do what in each of them took a seventh of a page. An address of the sidebar, looked up
    whenever it was read, took as much.
    """
    listed, listing = [], Site._build_app_dict

    def seen(*asked: Any) -> Any:
        listed.append(asked)
        return listing(*asked)

    monkeypatch.setattr(Site, "_build_app_dict", seen)

    shown = clients[AUDITOR].get(address("admin:directory_person_changelist", company))
    assert listed == []
    pages = [page for group in shown.context["sidebar_navigation"] for page in group["items"]]
    assert {type(page["link"]) for page in pages} == {str}

    text(clients[AUDITOR], "admin:app_list", company)
    assert len(listed) == 1


def test_staff_without_a_role_are_told_to_ask_for_one(company: Company, clients: dict[str, Client]) -> None:
    told = "You may sign in, and nothing more yet."

    assert told in text(clients[NOBODY], "admin:index", company)
    assert told not in text(clients[AUDITOR], "admin:index", company)
    assert told not in text(clients[AUDITOR], "admin:app_list", company)


def test_the_page_of_an_application_lists_what_it_holds(company: Company, clients: dict[str, Client]) -> None:
    html = text(clients[AUDITOR], "admin:app_list", company)

    assert [
        name for name in ("provisioningjob", "action", "account", "accessrule", "mark") if name not in html
    ] == []


def test_home_shows_what_needs_attention_and_what_waits(company: Company, clients: dict[str, Client]) -> None:
    html = text(clients[AUDITOR], "admin:index", company)

    assert f"{company.waiting} of Acme" in html
    assert "Needs attention" in html
    assert "1 action held" in html


def test_a_job_in_each_state_says_what_it_means(company: Company, clients: dict[str, Client]) -> None:
    for state in ProvisioningJob.State:
        shown = ProvisioningJob.objects.filter(state=state).earliest("pk")
        page = reverse("admin:provisioning_provisioningjob_change", args=[shown.pk])
        html = clients[AUDITOR].get(page).content.decode()

        assert f">{shown.get_state_display()}</span>" in html
        assert ('hx-trigger="every 2s"' in html) == (state in ProvisioningJob.LIVE)


def test_an_action_of_each_kind_says_who_what_and_why(company: Company, clients: dict[str, Client]) -> None:
    for kind in ACTIONS:
        row = Action.objects.filter(kind=kind).earliest("pk")
        of_its_own = reverse("admin:provisioning_action_change", args=[row.pk])
        in_its_job = reverse("admin:provisioning_provisioningjob_change", args=[row.job_id])

        for page in (of_its_own, in_its_job):
            html = clients[AUDITOR].get(page).content.decode()
            assert "ada@example.org" in html
            assert WORDS[kind] in unescape(html)
            assert SITUATIONS.get(kind, "Joiner") in html


SITUATIONS = {"report": "Orphan", "remove": "Leaver", "revoke_key": "Left behind", "create": "Missing"}


WORDS = {
    "invite": "Invite as reader",
    "withdraw_invite": "Withdraw the invite",
    "change_role": "Change the role from reader to owner",
    "remove": "Remove from the organization",
    "grant": "Give the project Search as member",
    "change_grant": "Change the project Search from member to owner",
    "revoke": "Take away the project Search",
    "revoke_key": "Revoke the project key laptop",
    "create": "Create the project Voice",
    "report": "Nothing is done",
}


def test_whoever_sees_a_rule_sees_what_it_gives(company: Company, clients: dict[str, Client]) -> None:
    shown = {role: text(clients[role], "admin:provisioning_accessrule_change", company) for role in READERS}

    assert [role for role, html in shown.items() if "Project 0" not in html] == []


def test_a_source_says_how_many_people_it_has(company: Company, clients: dict[str, Client]) -> None:
    of = company.rows["directory_source"]
    number = Person.objects.filter(source=of).count()

    html = text(clients[AUDITOR], "admin:directory_source_change", company)

    assert f"{number} active</span>" in html
    assert re.search(rf">{number} (person|people)</a>", html)


def test_a_job_shows_its_actions_by_what_became_of_them(company: Company, clients: dict[str, Client]) -> None:
    held = text(clients[AUDITOR], "admin:provisioning_provisioningjob_change", company, "?show=held")
    done = text(clients[AUDITOR], "admin:provisioning_provisioningjob_change", company, "?show=done")

    assert ("gone0@example.org" in held, "ada@example.org" in held) == (True, False)
    assert ("gone0@example.org" in done, "ada@example.org" in done) == (False, True)


WITH_A_FORM = ("admin:ledger_entry_changelist", "admin:provisioning_action_changelist")
"""Lists that are searched by a form of their own, and always sorted by time."""


def test_a_list_is_searched_and_sorted_by_every_column(company: Company, clients: dict[str, Client]) -> None:
    for name in set(LISTS) - set(WITH_A_FORM):
        shown = clients[SUPERUSER].get(address(name, company)).context["cl"]
        columns = range(1, len(shown.list_display))

        up, down = ".".join(map(str, columns)), ".".join(f"-{column}" for column in columns)
        for asked in ({"o": up}, {"o": down, "q": "ada"}, {"q": "'\"%_"}, {"q": "\0"}):
            answer = clients[SUPERUSER].get(address(name, company), asked)
            assert answer.status_code == 200, (name, asked)
            assert answer.context["cl"].query == asked.get("q", "").replace("\0", ""), (name, asked)
            assert answer.context["cl"].get_ordering_field_columns() or "o" not in asked, (name, asked)


@pytest.mark.django_db
def test_accounts_that_are_gone_are_listed_where_they_are_asked_for(clients: dict[str, Client]) -> None:
    acme = integration()
    account(acme, "here")
    account(acme, "gone", gone_at=timezone.now())
    page = reverse("admin:provisioning_account_changelist")

    def listed(query: str) -> list[str]:
        return [str(row) for row in clients[AUDITOR].get(f"{page}{query}").context["cl"].result_list]

    assert listed("") == ["here@example.org"]
    assert listed("?presence=gone") == ["gone@example.org"]
    assert listed("?presence=all") == ["gone@example.org", "here@example.org"]


@pytest.mark.django_db
def test_an_account_is_linked_by_choosing_its_person(clients: dict[str, Client]) -> None:
    found, ada = account(integration()), person("ada@example.org")
    page = reverse("admin:provisioning_account_change", args=[found.pk])

    clients[OPERATOR].post(page, as_shown(clients[OPERATOR], page, "account_form", person=str(ada.pk)))
    found.refresh_from_db()
    assert (found.person, found.match) == (ada, Account.Match.MANUAL)

    clients[OPERATOR].post(page, as_shown(clients[OPERATOR], page, "account_form", person=""))
    found.refresh_from_db()
    assert (found.person, found.match) == (None, Account.Match.NONE)


@pytest.mark.django_db
def test_saving_an_account_as_it_is_makes_no_link_by_hand(clients: dict[str, Client]) -> None:
    found = account(integration(), person=person("ada@example.org"), match=Account.Match.EMAIL)
    page = reverse("admin:provisioning_account_change", args=[found.pk])

    clients[OPERATOR].post(page, as_shown(clients[OPERATOR], page, "account_form"))

    found.refresh_from_db()
    assert found.match == Account.Match.EMAIL


@pytest.mark.django_db
def test_the_page_of_an_account_carries_no_list_of_all_people(clients: dict[str, Client]) -> None:
    found = account(integration())
    page = reverse("admin:provisioning_account_change", args=[found.pk])
    for place in range(5):
        person(f"p{place}@example.org")

    assert "p3@example.org" not in clients[OPERATOR].get(page).content.decode()


@pytest.mark.django_db
def test_a_sync_of_an_integration_with_a_live_job_leads_to_that_job(clients: dict[str, Client]) -> None:
    acme = integration()
    running = job(acme, ProvisioningJob.State.RUNNING)
    before = everything()

    answer = clients[OPERATOR].post(reverse("admin:integrations_integration_sync", args=[acme.pk]))

    assert answer["Location"] == reverse("admin:provisioning_provisioningjob_change", args=[running.pk])
    assert said(answer) == [f"No sync was queued: {running} is already running."]
    assert everything() == before


@pytest.mark.django_db
def test_what_is_not_enabled_is_not_synced(clients: dict[str, Client]) -> None:
    idle = integration(enabled=False)

    answer = clients[OPERATOR].post(reverse("admin:integrations_integration_sync", args=[idle.pk]))

    assert said(answer) == ["No sync was queued: Acme is not enabled. Save & Enable it first."]
    assert not ProvisioningJob.objects.exists()


@pytest.mark.django_db
def test_a_history_shows_the_facts_and_leaves_out_what_is_empty(clients: dict[str, Client]) -> None:
    acme = integration()
    facts = {"numbers": {"first": 1, "last": 2}, "why": None, "names": ["a", "b"], "none": {}}
    record(Verb.CHANGED, acme, before={"mode": "observe"}, after={"mode": "manage"}, facts=facts)
    page = clients[AUDITOR].get(reverse("admin:integrations_integration_history", args=[acme.pk]))
    assert page.context["lines"][0]["facts"] == [("names", "a, b"), ("numbers", "first: 1, last: 2")]


@pytest.mark.django_db
def test_the_log_of_a_rule_says_who_activated_it(clients: dict[str, Client]) -> None:
    draft = rule(integration())
    typed = {"action": "activate", "index": "0", "_selected_action": [draft.pk], "_agreed": "yes"}

    first = clients[OPERATOR].post(reverse("admin:provisioning_accessrule_changelist"), typed)
    again = clients[OPERATOR].post(reverse("admin:provisioning_accessrule_changelist"), typed)

    log = clients[AUDITOR].get(reverse("admin:provisioning_accessrule_history", args=[draft.pk]))
    [line] = log.context["lines"]
    assert (line["entry"].actor, line["what"]) == ("operator", "Changed")
    assert [(field["name"], field["before"], field["after"]) for field in line["fields"]] == [
        ("state", "draft", "active")
    ]
    assert said(first) == ["1 rule is now active. A sync is due for every enabled integration."]
    assert said(again)[-1] == "All of them are active already."


@pytest.mark.django_db
def test_a_person_s_page_says_what_their_dates_will_do(clients: dict[str, Client]) -> None:
    ada = person("ada@example.org", start_date=date(2096, 4, 1), end_date=date(2097, 3, 31))
    Person.objects.update(time_zone="Europe/Berlin")
    for name, mode in (("Acme", "manage"), ("Beta", "extend"), ("Gamma", "manage")):
        account(integration(name, mode=mode, enabled=name != "Gamma"), person=ada)
    page = reverse("admin:directory_person_change", args=[ada.pk])

    begins, ends = clients["auditor"].get(page).context["forecast"]

    assert begins.startswith("Has access from 1 Apr 2096, 00:00 Europe/Berlin.")
    assert ends == (
        "Has access until 31 Mar 2097, 24:00 Europe/Berlin. A sync is due then, at once: they are removed "
        "from 1 integration in mode manage (Acme), within the limits set there; they keep their account in "
        "Beta, which is in mode extend and takes nothing; they keep their account in Gamma, which is "
        "disabled."
    )
    assert ends in clients["auditor"].get(page).content.decode()
    Account.objects.all().delete()
    assert (
        clients["auditor"]
        .get(page)
        .context["forecast"][1]
        .endswith("no account is known to be theirs until now.")
    )
    Person.objects.update(active=False)
    assert clients["auditor"].get(page).context["forecast"] == []


def test_deactivating_somebody_twice_says_so(clients: dict[str, Client]) -> None:
    ada = person("ada@example.org")
    button = reverse("admin:directory_person_deactivate", args=[ada.pk])

    assert said(clients[OPERATOR].post(button)) == [
        "Deactivated ada@example.org. A sync is due for every enabled integration."
    ]
    before = everything()
    assert said(clients[OPERATOR].post(button))[-1] == "ada@example.org is inactive already."
    assert everything() == before


@pytest.mark.django_db
def test_a_group_that_a_rule_names_is_not_deleted(clients: dict[str, Client]) -> None:
    group = person("ada@example.org", groups=("engineering",)).groups.get()
    rule(integration(), group=group)
    page = reverse("admin:directory_group_delete", args=[group.pk])
    before = everything()

    answer = clients[SUPERUSER].post(page, {"post": "yes"})

    assert "Access rule: Engineers" in answer.content.decode()
    assert everything() == before


@pytest.mark.django_db
def test_a_mark_remembers_who_made_it(clients: dict[str, Client]) -> None:
    made = mark(integration(), made_by=staff("somebody"))
    page = reverse("admin:provisioning_mark_change", args=[made.pk])

    clients[OPERATOR].post(page, as_shown(clients[OPERATOR], page, "mark_form", reason="Agreed again."))

    made.refresh_from_db()
    assert (made.made_by.username, made.reason) == ("operator", "Agreed again.")


def test_a_job_tells_what_others_changed_since_the_read_before(clients: dict[str, Client]) -> None:
    change = {"change": "accepted", "account_id": "user-1", "email": "", "before": "invited", "after": ""}
    read = {"complete": True, "changes": {"number": 3, "first": [change]}}
    made = job(integration(), read=read)
    html = (
        clients[AUDITOR]
        .get(reverse("admin:provisioning_provisioningjob_change", args=[made.pk]))
        .content.decode()
    )
    assert "3 changes since the read before, not made by Cakewalk" in html
    assert "Invite accepted" in html
    assert "These are the first 1." in html


def test_a_job_tells_who_did_what_others_did_and_what_the_audit_log_confirms(
    clients: dict[str, Client],
) -> None:
    change = {"change": "role", "account_id": "user-1", "email": "", "before": "reader", "after": "owner"}
    by_mei = {
        "event": "audit_log-7",
        "at": "2026-01-31T10:12:00+00:00",
        "actor": "mei@example.org in OpenAI's console",
    }
    made = job(
        integration(),
        read={"complete": True, "changes": {"number": 1, "first": [change]}},
        corroborated=[{"change": "role", "account_id": "user-1"} | by_mei],
    )
    confirmed = {
        "event": "audit_log-8",
        "at": "2026-01-31T10:30:00+00:00",
        "actor": "an API key of olivia@x.org",
    }
    action(made, situation="drift", corroboration=confirmed, caused_by=by_mei)
    page = clients[AUDITOR].get(reverse("admin:provisioning_provisioningjob_change", args=[made.pk]))
    html = unescape(page.content.decode())
    assert html.count("mei@example.org in OpenAI's console, ") == 2
    assert "31 Jan, 10:12" in html
    assert "Confirmed by OpenAI's audit log, event" in html
    assert "audit_log-8" in html


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (timedelta(days=6, hours=5), "Invited, 6 days left"),
        (timedelta(days=1, minutes=5), "Invited, 1 day left"),
        (timedelta(hours=2, minutes=5), "Invited, 2 hours left"),
        (timedelta(minutes=5), "Invited, 0 hours left"),
        (timedelta(minutes=-5), "Invited, lapsed since"),
        (None, ">Invited<"),
    ],
)
def test_an_open_invite_tells_how_long_it_is_open(
    clients: dict[str, Client], left: timedelta | None, told: str
) -> None:
    account(integration(), state="invited", expires_at=timezone.now() + left if left else None)
    html = clients[AUDITOR].get(reverse("admin:provisioning_account_changelist")).content.decode()
    assert told in html
