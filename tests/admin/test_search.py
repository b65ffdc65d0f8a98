"""The search of the history: a link is the question, and what is found can be kept and taken along."""

import csv
import io
import json
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import openpyxl
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from cakewalk import spreadsheets
from cakewalk.ledger import guards
from cakewalk.ledger.models import Entry, Verification
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from directory.models import FormerEmail
from provisioning.admin import search as page
from provisioning.models import Action
from provisioning.search import mentions
from provisioning.search.models import SavedSearch
from tests.admin.browser import forms, said
from tests.admin.builders import action, actions, entry, integration, job, staff
from tests.directory.builders import person

pytestmark = pytest.mark.django_db

HISTORY, LEDGER = reverse("admin:provisioning_action_changelist"), reverse("admin:ledger_entry_changelist")


def done(what: str, at: datetime, kind: str = "remove", **values: Any) -> Action:
    made = action(job(integration(what)), kind, "done", email=f"{what}@x.org", finished_at=at, **values)
    mentions.note([made])
    return made


def shown(client: Client, query: str, where: str = HISTORY) -> str:
    return unescape(client.get(f"{where}?{query}").content.decode())


def whose(html: str) -> list[str]:
    """The addresses in the rows of the list."""
    return re.findall(r'data-label="Who"><span><span class="cw-strong">([^<]*)<', html)


def exported(client: Client, kind: str, query: str, model: str = "provisioning_action") -> bytes:
    answer = client.get(f"{reverse(f'admin:{model}_export_{kind}')}?{query}")
    assert "attachment" in answer["Content-Disposition"]
    return answer.getvalue()


def test_a_link_is_the_question_and_days_are_those_of_the_viewer(clients: dict[str, Client]) -> None:
    done("late", datetime(2026, 3, 3, 23, 30, tzinfo=UTC))
    done("early", datetime(2026, 3, 3, 22, 30, tzinfo=UTC))
    auditor = clients["auditor"]

    assert whose(shown(auditor, "since=2026-03-04&kind=remove")) == []
    auditor.cookies["time_zone"] = "Europe/Berlin"
    html = shown(auditor, "since=2026-03-04&kind=remove")
    assert whose(html) == ["late@x.org"]
    assert 'data-copies="http://testserver/admin/provisioning/action/?since=2026-03-04&kind=remove"' in html
    assert whose(shown(auditor, "until=2026-03-03")) == ["early@x.org"]
    [asked] = [
        form
        for name, form in forms(auditor.get(f"{HISTORY}?since=2026-03-04&kind=remove")).items()
        if name == "search"
    ]
    assert {name: value for name, value in asked.items() if value != [""]} == {
        "since": ["2026-03-04"],
        "kind": ["remove"],
    }


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("since=soon", "Enter a valid date."),
        ("since=2026-03-04&until=2026-03-03", "This day is before the first one."),
        ("kind=nothing", "Select a valid choice."),
        ("integration=x", "Select a valid choice."),
        ("person=x", "Nothing was searched"),
        ("since=0001-01-01&until=9999-12-31", "1 found"),
        ("after=nonsense", "1 found"),
        ("after=~99999999999999999999", "1 found"),
        ("after=2026-03-03T00:00:00~5", "1 found"),
        ("after=2026-03-03T00:00:00%2B00:00~5", "Further back"),
        ("who=%00", "Null characters are not allowed."),
    ],
)
def test_a_question_that_makes_no_sense_is_told_of_at_its_field(
    clients: dict[str, Client], query: str, told: str
) -> None:
    done("ada", datetime(2026, 3, 3, tzinfo=UTC))
    assert told in shown(clients["auditor"], query)


def test_a_row_says_who_approved_it_and_why(clients: dict[str, Client]) -> None:
    boss = staff("boss")
    at = datetime(2026, 3, 3, tzinfo=UTC)
    override = {"code": "first_removals", "by": "ada", "at": at.isoformat(), "reason": "Told by HR."}
    made = job(
        integration(), approved_by=boss, approved_at=at, approval_reason="They left.", overrides=[override]
    )
    row = action(made, "remove", "done", finished_at=at)
    for where in (HISTORY, reverse("admin:provisioning_action_change", args=[row.pk])):
        html = re.sub(r"<[^>]+>", "", shown(clients["auditor"], "", where))
        assert "Approved by boss, 3 Mar 2026, 00:00 UTC: They left." in html
        assert "First removals overridden by ada, 3 Mar 2026, 00:00 UTC: Told by HR." in html


def test_who_is_meant_is_told_with_what_they_were_called_before(clients: dict[str, Client]) -> None:
    for number in range(2):
        ada = person(f"ada{number}@x.org", name=f"Ada {number}")
        FormerEmail.objects.create(person=ada, key=f"former{number}@x.org")
        made = job(integration(f"I{number}"))
        action(made, email=f"former{number}@x.org", account_id=f"user-{number}")
    html = shown(clients["auditor"], "who=former1@x.org")
    assert "formerly former1@x.org" in html
    assert "Ada 0" not in html
    assert whose(html) == ["former1@x.org"]
    [both] = re.findall(rf'href="\?person={ada.pk}"', shown(clients["auditor"], "who=ada"))
    assert whose(shown(clients["auditor"], both[7:-1])) == ["former1@x.org"]


def test_more_than_a_thousand_are_not_counted(
    clients: dict[str, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "MOST_COUNTED", 3)
    monkeypatch.setattr(page, "PER_PAGE", 2)
    actions(job(integration()), [("remove", "done")] * 4, finished_at=datetime(2026, 3, 3, tzinfo=UTC))
    html = shown(clients["auditor"], "kind=remove")
    assert "More than 3 found" in html
    for _ in range(2):
        assert len(whose(html)) == 2
        further = re.findall(r'href="\?(kind=remove&after=[^"#]+)#found"', html)
        html = shown(clients["auditor"], further[0]) if further else ""
    assert html == ""


# -- files


def test_a_file_holds_just_what_is_found_and_the_ledger_tells_of_it(clients: dict[str, Client]) -> None:
    at = datetime(2026, 3, 3, tzinfo=UTC)
    done("ada", at, rule="=1+1")
    done("bob", at, kind="grant")
    auditor = clients["auditor"]

    table = list(csv.DictReader(exported(auditor, "csv", "kind=remove").decode("utf-8-sig").splitlines()))
    [line] = [json.loads(one) for one in exported(auditor, "jsonl", "kind=remove").splitlines()]
    book = openpyxl.load_workbook(io.BytesIO(exported(auditor, "xlsx", "kind=remove")))
    head, row = book.active.iter_rows(values_only=True)

    assert [(one["integration"], one["email"], one["rule"]) for one in table] == [
        ("ada", "ada@x.org", "'=1+1")
    ]
    assert (line["integration"], line["rule"], line["finished_at"]) == ("ada", "=1+1", at.isoformat())
    assert dict(zip(head, (cell or "" for cell in row), strict=True)) == table[0]
    exports = Entry.objects.filter(verb__startswith="export.").order_by("seq")
    told = [(one.verb, one.actor, one.told()["facts"]) for one in exports][:2]
    asked = {"question": {"kind": "remove"}, "format": "csv"}
    assert told == [
        (Verb.EXPORT_BEGUN, "auditor", asked),
        (Verb.EXPORTED, "auditor", {**asked, "rows": 1, "complete": True}),
    ]


def test_a_file_that_was_not_taken_to_its_end_is_told_as_such(clients: dict[str, Client]) -> None:
    actions(job(integration()), [("remove", "done")] * 3)
    answer: Any = clients["auditor"].get(reverse("admin:provisioning_action_export_csv"))
    stream = iter(answer.streaming_content)
    [next(stream) for _ in range(3)]
    answer._iterator.close()  # as a server does it; the client keeps the database open
    assert Entry.objects.latest("seq").told()["facts"] == {
        "question": {},
        "format": "csv",
        "rows": 1,
        "complete": False,
    }


def test_a_workbook_goes_on_in_another_sheet_where_one_is_full() -> None:
    rows = [["n"], *([str(number)] for number in range(5))]
    book = openpyxl.load_workbook(io.BytesIO(b"".join(spreadsheets.workbook(rows, most_rows=3))))
    assert [[row[0] for row in sheet.iter_rows(values_only=True)] for sheet in book] == [
        ["n", "0", "1"],
        ["n", "2", "3"],
        ["n", "4"],
    ]
    assert openpyxl.load_workbook(io.BytesIO(b"".join(spreadsheets.workbook([])))).sheetnames == ["Sheet1"]


# -- kept questions


def test_a_question_is_kept_shared_asked_again_and_deleted_by_its_owner(clients: dict[str, Client]) -> None:
    done("ada", datetime(2026, 3, 3, tzinfo=UTC))
    auditor, other = clients["auditor"], clients["operator"]
    save = reverse("admin:provisioning_action_save")
    typed = {"kind": "remove", "who": "ada@x.org", "situation": "", "save_as": "Ada's", "nonsense": "1"}

    assert auditor.post(save, typed)["Location"] == f"{HISTORY}?who=ada%40x.org&kind=remove"
    assert "Ada's" not in shown(other, "")
    auditor.post(save, {**typed, "shared": "on"})

    kept = SavedSearch.objects.get()
    assert (kept.name, kept.query, kept.shared) == ("Ada's", "who=ada%40x.org&kind=remove", True)
    assert "shared by auditor" in shown(other, "")
    assert whose(shown(other, kept.query)) == ["ada@x.org"]
    forget = reverse("admin:provisioning_action_forget", args=[kept.pk])
    assert other.post(forget).status_code == 403
    auditor.post(forget)
    assert not SavedSearch.objects.exists()
    verbs = Entry.objects.filter(object_kind="search.savedsearch").order_by("seq")
    assert list(verbs.values_list("verb", flat=True)) == [Verb.ADDED, Verb.CHANGED, Verb.DELETED]


@pytest.mark.parametrize("name", ["", " ", "x" * 101])
def test_a_question_without_a_fitting_name_is_not_kept(clients: dict[str, Client], name: str) -> None:
    answer = clients["auditor"].post(reverse("admin:provisioning_action_save"), {"save_as": name})
    assert said(answer) == ["Not saved. Give the search a name of at most 100 characters."]
    assert not SavedSearch.objects.exists()


# -- the ledger


def entries_shown(html: str) -> list[int]:
    return [int(number) for number in re.findall(r"/admin/ledger/entry/(\d+)/change/", html)]


def test_entries_are_found_by_whom_they_concern_by_actor_verb_object_and_period(
    clients: dict[str, Client],
) -> None:
    ada = person("ada@x.org", name="Ada")
    FormerEmail.objects.create(person=ada, key="ada@example.org")
    acme, auditor = integration(), clients["auditor"]
    first, second = entry(acme), entry(User.objects.get(username="auditor"))
    exported(auditor, "csv", "")
    begun, ended = second.seq + 1, second.seq + 2

    def found(query: str) -> list[int]:
        """Without those of what went before: who signed in, and the integration."""
        return [seq for seq in entries_shown(shown(auditor, query, LEDGER)) if seq >= first.seq]

    assert found("") == [ended, begun, second.seq, first.seq]
    assert found("who=ada@x.org") == [second.seq, first.seq]  # they name her former address
    assert found("actor=auditor") == [ended, begun]
    assert found("actor_kind=schedule") == [second.seq, first.seq]
    assert found("verb=export.ended") == [ended]
    assert found(f"kind=integrations.integration&row={acme.pk}") == [first.seq]
    assert found("kind=cakewalk.user&who=ada") == [second.seq]
    assert found(f"integration={acme.pk}") == [first.seq]
    assert found("until=2020-01-01") == found("since=2999-01-01") == []
    assert found("since=2020-01-01&until=2999-01-01&verb=row.changed") == [second.seq, first.seq]
    assert found(f"after={second.seq}") == [first.seq]
    lines = [
        json.loads(one) for one in exported(auditor, "jsonl", "verb=row.changed", "ledger_entry").splitlines()
    ]
    assert [line["seq"] for line in lines] == [second.seq, first.seq]


def test_an_entry_shows_its_place_in_the_chain_and_what_was_done_to_it(clients: dict[str, Client]) -> None:
    acme, auditor = integration(), clients["auditor"]
    first, second, third = (
        entry(acme, before={"role": "reader"}, after={"role": f"owner {number}"}) for number in range(3)
    )

    def told(of: Entry) -> str:
        where = reverse("admin:ledger_entry_change", args=[of.pk])
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", shown(auditor, "", where)))

    good = "Its hash is that of what it says."
    assert all(good in told(one) for one in (first, second, third))
    assert "role reader owner 1" in told(second)
    assert "It is the newest entry." in told(third)
    guards.remove(connection)
    Entry.objects.filter(pk=second.pk).update(body=third.body)
    assert "It does not say what was written: its hash is another." in told(second)
    Entry.objects.filter(pk=second.pk).delete()
    assert "It does not follow from the entry before it." in told(third)
    assert good in told(first)


def test_the_ledger_says_what_the_last_verification_found(clients: dict[str, Client]) -> None:
    html = shown(clients["auditor"], "", LEDGER)
    assert "has not been verified yet" in html
    seen = Verification.objects.create(
        at=datetime(2026, 3, 3, 8, tzinfo=UTC), seconds=1, entries=12, seq=12, hash="", checkpoints=2
    )
    html = re.sub(r"<[^>]+>", "", shown(clients["auditor"], "", LEDGER))
    assert "Verified 3 Mar 2026, 08:00 UTC: 12 entries up to 12 are what was written" in html
    Verification.objects.filter(pk=seen.pk).update(breaks=[{"seq": 5, "detail": "Entry 5 is missing."}])
    assert "Entry 5 is missing." in shown(clients["auditor"], "", LEDGER)
