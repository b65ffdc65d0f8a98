"""What planning sees of the directory at a given moment."""

from datetime import date

import pytest

from directory import snapshot
from directory.models import Group, Source, take_snapshot
from tests.directory.builders import NOW, person, source

pytestmark = pytest.mark.django_db


def test_everyone_is_seen_with_keys_groups_and_whether_they_are_active():
    ada = person("Ada@Example.org", name="Ada", groups=("engineering",), aliases=("ada.l@example.org",))
    bob = person("bob@bücher.example", active=False)
    engineering = Group.objects.get(name="engineering").pk
    assert take_snapshot(NOW) == snapshot.Directory(
        people=(
            snapshot.Person(
                ada.pk,
                "Ada@Example.org",
                ("ada@example.org", "ada.l@example.org"),
                "Ada",
                True,
                frozenset({engineering}),
            ),
            snapshot.Person(bob.pk, "bob@bücher.example", ("bob@xn--bcher-kva.example",), "", False),
        ),
        active_by_source={"file": 1},
    )


@pytest.mark.parametrize(
    ("start", "end", "active"),
    [
        (None, None, True),
        (date(2026, 3, 10), None, True),
        (date(2026, 3, 11), None, False),
        (None, date(2026, 3, 10), True),
        (None, date(2026, 3, 9), False),
        (date(2026, 3, 1), date(2026, 3, 31), True),
    ],
)
def test_dates_decide_who_is_active_the_last_day_included(start, end, active):
    person("ada@example.org", start_date=start, end_date=end)
    assert [seen.active for seen in take_snapshot(NOW).people] == [active]


def test_a_source_whose_people_all_left_counts_zero_instead_of_vanishing():
    person("ada@example.org", active=False)
    source("hr", Source.Kind.SCIM)
    assert take_snapshot(NOW).active_by_source == {"file": 0, "hr": 0}


def test_the_snapshot_takes_the_same_few_queries_for_many_people(django_assert_num_queries):
    for number in range(20):
        person(f"p{number}@example.org", groups=("a", "b"), aliases=(f"alias{number}@example.org",))
    with django_assert_num_queries(5):
        take_snapshot(NOW)
