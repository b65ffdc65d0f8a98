"""Who is known by an id of their source stays the same person, whatever their e-mail becomes."""

from typing import Any

import pytest

from directory import importing
from directory.emails import email_key
from directory.import_plan import ImportPlan, Options
from directory.models import Person, Source
from directory.people_table import Entry, Reading
from tests.directory.builders import NOW, directory, person, problems, source

pytestmark = pytest.mark.django_db


def entry(email: str, external_id: str = "", **values: Any) -> Entry:
    said = {"email": email, "active": True, **({"external_id": external_id} if external_id else {})}
    return Entry(email_key(email), (), {**said, **values})


def pulled(*entries: Entry, unchanged: tuple[str, ...] = (), **options: Any) -> ImportPlan:
    reading = Reading(rows=len(entries), entries=list(entries), unchanged_ids=frozenset(unchanged))
    options = {"replace": True, "allow_drop": True, "kind": Source.Kind.LDAP, **options}
    return importing.import_reading("ldap", reading, Options("corp", **options), now=NOW)


def people() -> dict[str, tuple[str, list[str], bool]]:
    """Address, all addresses and whether active, by external id."""
    said = directory()
    return {
        found.external_id: (found.email, said[found.email]["addresses"], found.active)
        for found in Person.objects.all()
    }


@pytest.fixture
def ada() -> Person:
    pulled(entry("ada@x.org", "id-1"))
    return Person.objects.get()


def test_a_new_e_mail_keeps_the_person_and_the_old_address(ada):
    plan = pulled(entry("ada.lovelace@x.org", "id-1"))
    assert [(len(plan.added), len(plan.changed), len(plan.deactivated))] == [(0, 1, 0)]
    assert Person.objects.get().pk == ada.pk
    assert people() == {"id-1": ("ada.lovelace@x.org", ["ada.lovelace@x.org", "ada@x.org"], True)}
    assert pulled(entry("ada.lovelace@x.org", "id-1")).changes == []


def test_a_source_that_knows_the_aliases_has_the_last_word(ada):
    pulled(entry("ada.lovelace@x.org", "id-1", aliases=()))
    assert people() == {"id-1": ("ada.lovelace@x.org", ["ada.lovelace@x.org"], True)}


def test_an_address_that_went_to_somebody_else_is_theirs_alone(ada):
    pulled(entry("ada.lovelace@x.org", "id-1"), entry("ada@x.org", "id-2"))
    assert people() == {
        "id-1": ("ada.lovelace@x.org", ["ada.lovelace@x.org"], True),
        "id-2": ("ada@x.org", ["ada@x.org"], True),
    }
    assert Person.objects.get(external_id="id-1").pk == ada.pk


def test_two_people_exchange_their_addresses(ada):
    pulled(entry("ada@x.org", "id-1"), entry("bob@x.org", "id-2"))
    plan = pulled(entry("bob@x.org", "id-1"), entry("ada@x.org", "id-2"))
    assert problems(plan) == []
    assert people() == {
        "id-1": ("bob@x.org", ["bob@x.org"], True),
        "id-2": ("ada@x.org", ["ada@x.org"], True),
    }


def test_somebody_made_anew_in_the_source_is_known_by_their_address(ada):
    pulled(entry("ada@x.org", "id-9"))
    assert Person.objects.get().pk == ada.pk
    assert people() == {"id-9": ("ada@x.org", ["ada@x.org"], True)}


def test_who_was_known_by_e_mail_alone_gets_the_id_with_the_first_reading():
    known = person("ada@x.org", source=source("corp", Source.Kind.LDAP))
    pulled(entry("ada@x.org", "id-1"))
    assert (Person.objects.get().pk, Person.objects.get().external_id) == (known.pk, "id-1")


def test_whom_the_source_names_without_an_address_stays_as_they_are(ada):
    plan = pulled(entry("bob@x.org", "id-2"), unchanged=("id-1",))
    assert (plan.deactivated, plan.untouched) == ([], 1)
    assert people()["id-1"] == ("ada@x.org", ["ada@x.org"], True)
    plan = pulled(entry("bob@x.org", "id-2"), entry("ada@x.org", "id-3"), unchanged=("id-1",))
    assert problems(plan) == [
        (None, "email", "ada@x.org: ada@x.org already belongs to ada@x.org of source 'corp'.")
    ]


def test_whom_the_source_no_longer_names_is_deactivated(ada):
    pulled(entry("bob@x.org", "id-2"))
    assert people()["id-1"] == ("ada@x.org", ["ada@x.org"], False)


def test_a_source_is_filled_in_one_way_only(ada):
    plan = pulled(entry("ada@x.org"), kind=Source.Kind.FILE)
    assert problems(plan)[0][2].startswith(
        "Source 'corp' is not filled from files but is a 'LDAP directory' one"
    )
    source("hr")
    reading = Reading(rows=1, entries=[entry("bob@x.org", "id-1")])
    options = Options("hr", replace=True, kind=Source.Kind.LDAP)
    assert problems(importing.preview_reading("ldap", reading, options, now=NOW)) == [
        (None, None, "Source 'hr' is a 'File import' one, and not 'LDAP directory'.")
    ]
