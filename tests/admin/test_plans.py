"""How the database finds what pages ask among a million rows: by an index, and not by a walk through all."""

import pytest
from django.db import connection
from django.db.models.functions import Lower

from cakewalk.ledger.models import Entry
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


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite says less of its plans")
def test_whom_an_entry_concerns_is_found_by_address_and_by_person() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    about = Whom(people=frozenset({1}), addresses=frozenset({"ada@example.org"}))
    [condition] = entries._conditions(Asked(), about)
    plan = Entry.objects.alias(lower=Lower("email")).filter(condition).explain()
    assert "ledger_by_email" in plan
    assert "ledger_of_object" in plan
