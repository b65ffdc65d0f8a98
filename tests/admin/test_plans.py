"""How the database finds what pages ask among a million rows: by an index, and not by a walk through all."""

import re

import pytest
from django.db import connection
from django.db.models.functions import Lower

from cakewalk.ledger.models import Entry
from cakewalk.portions import FIRST
from provisioning.admin.accounts import AccountAdmin
from provisioning.models import Account
from provisioning.reviews.models import Exclusion
from provisioning.search import entries
from provisioning.search.entries import Asked
from provisioning.search.whom import Whom

pytestmark = pytest.mark.django_db


def test_exceptions_in_force_are_found_from_each_to_its_own_action() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:  # as if there were many
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off")
    plan = Exclusion.objects.in_force().explain()
    by_key = {"sqlite": "SEARCH provisioning_action USING INTEGER PRIMARY KEY", "postgresql": "_action_pkey"}
    assert by_key[connection.vendor] in plan
    assert "action_state" not in plan


def test_the_first_accounts_of_an_export_are_found_by_their_address() -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    shown = Account.objects.filter(gone_at=None).order_by(*AccountAdmin.ordering)

    plan = shown.values_list("pk", flat=True)[:FIRST].explain()

    assert "account_email_lower" in plan


def plan_of_entries(about: Whom) -> str:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
    [condition] = entries._conditions(Asked(), about)
    return Entry.objects.alias(lower=Lower("email")).filter(condition).explain()


def test_whom_an_entry_concerns_is_found_by_address_and_by_person() -> None:
    plan = plan_of_entries(Whom(people=frozenset({1}), addresses=frozenset({"ada@example.org"})))
    assert re.search("ledger_by_email|ledger_email_begins", plan)
    assert "ledger_of_object" in plan


def test_how_an_address_begins_is_found_in_the_ledger_by_a_range() -> None:
    plan = plan_of_entries(Whom(begins="ada@"))
    by_range = {
        "sqlite": r"SEARCH .*ledger_by_email",
        "postgresql": r"ledger_email_begins.*\n.*Index Cond: .*ada@",
    }
    assert re.search(by_range[connection.vendor], plan)
