"""Start and end dates count in each person's own time zone, and act by themselves when they pass."""

from datetime import UTC, date, datetime, timedelta

import pytest

from directory.models import DateWatch, Person, take_snapshot
from integrations.models import Integration
from provisioning.dates import notice_passed_dates
from provisioning.models import PersonChange
from provisioning.models.changes import PersonChangeQuerySet
from tests.directory.builders import NOW, directory, import_lines, person, problems

pytestmark = pytest.mark.django_db

MARCH_31 = date(2027, 3, 31)
KIRITIMATI, BERLIN, LOS_ANGELES = "Pacific/Kiritimati", "Europe/Berlin", "America/Los_Angeles"
LAST_MOMENTS = {
    KIRITIMATI: datetime(2027, 3, 31, 10, tzinfo=UTC),
    BERLIN: datetime(2027, 3, 31, 22, tzinfo=UTC),
    "": datetime(2027, 4, 1, 0, tzinfo=UTC),
    LOS_ANGELES: datetime(2027, 4, 1, 7, tzinfo=UTC),
}
"""When the last day of March 2027 is over, by zone."""


def active_at(moment: datetime) -> set[str]:
    by_query = {found.email for found in Person.objects.active_on(moment)}
    assert {seen.email for seen in take_snapshot(moment).people if seen.active} == by_query
    return by_query


@pytest.mark.parametrize(("zone", "end"), LAST_MOMENTS.items())
def test_access_ends_with_the_last_day_where_the_person_is(zone, end):
    for other in LAST_MOMENTS:
        person(f"{other.rpartition('/')[2]}@x.org".lower(), time_zone=other)  # without dates
    person("leaver@x.org", end_date=MARCH_31, time_zone=zone)
    person("joiner@x.org", start_date=MARCH_31 + timedelta(days=1), time_zone=zone)
    always = active_at(NOW - timedelta(days=9999)) - {"leaver@x.org"}
    assert len(always) == len(LAST_MOMENTS)
    assert active_at(end - timedelta(seconds=1)) == always | {"leaver@x.org"}
    assert active_at(end) == always | {"joiner@x.org"}


def test_people_without_a_zone_are_where_the_installation_is(settings):
    settings.TIME_ZONE = BERLIN
    person("leaver@x.org", end_date=MARCH_31)
    assert active_at(LAST_MOMENTS[BERLIN] - timedelta(seconds=1)) == {"leaver@x.org"}
    assert active_at(LAST_MOMENTS[BERLIN]) == set()


def test_a_zone_that_no_longer_exists_is_that_of_the_installation():
    person("leaver@x.org", end_date=MARCH_31, time_zone="Mars/Olympus_Mons")
    assert active_at(LAST_MOMENTS[""] - timedelta(seconds=1)) == {"leaver@x.org"}
    assert active_at(LAST_MOMENTS[""]) == set()


# -- the clock


@pytest.fixture
def waiting():
    """Who waits for a look of an enabled integration; asking forgets it."""
    Integration.objects.create(kind="openai", name="Acme", base_url="https://x.org", enabled=True)

    def ask() -> list[int]:
        waits = PersonChange.objects.waiting().order_by("person")
        ids = list(waits.values_list("person", flat=True))
        waits.delete()
        return ids

    return ask


def test_who_has_a_date_that_passes_is_looked_at_once(waiting):
    leaver = person("leaver@x.org", end_date=MARCH_31, time_zone=BERLIN)
    end = LAST_MOMENTS[BERLIN]
    looks = [end - timedelta(seconds=60), end - timedelta(seconds=30), end, end + timedelta(seconds=30)]
    assert [(notice_passed_dates(moment), waiting()) for moment in looks] == [
        ([], []),
        ([], []),
        ([leaver.pk], [leaver.pk]),
        ([], []),
    ]


def test_what_passed_while_nobody_looked_is_told_once_after_it(waiting):
    notice_passed_dates(NOW)
    later = NOW + timedelta(days=3)
    today, tomorrow = NOW.date(), NOW.date() + timedelta(days=1)
    passed = [
        person("leaver@x.org", end_date=today),
        person("joiner@x.org", start_date=tomorrow),
        person("abroad@x.org", end_date=today - timedelta(days=1), time_zone="Pacific/Pago_Pago"),
        person("early@x.org", end_date=later.date(), time_zone=KIRITIMATI),
    ]
    person("began@x.org", start_date=today)
    person("left@x.org", end_date=today - timedelta(days=1))
    person("not.yet@x.org", start_date=later.date() + timedelta(days=1), end_date=date(2099, 1, 1))
    person("inactive@x.org", end_date=today, active=False)
    person("late@x.org", end_date=later.date(), time_zone=LOS_ANGELES)

    still_the_day_before_there = datetime(2026, 3, 10, 10, 59, tzinfo=UTC)
    DateWatch.objects.update(looked_until=still_the_day_before_there)
    ids = [one.pk for one in passed]
    assert (notice_passed_dates(later), waiting()) == (ids, ids)
    assert (notice_passed_dates(later), waiting()) == ([], [])


def test_a_look_that_could_not_tell_is_made_again(waiting, monkeypatch):
    leaver = person("leaver@x.org", end_date=NOW.date())
    notice_passed_dates(NOW)
    with monkeypatch.context() as broken:
        broken.setattr(PersonChangeQuerySet, "note", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            notice_passed_dates(NOW + timedelta(days=1))
    assert notice_passed_dates(NOW + timedelta(days=1)) == [leaver.pk]


def test_a_clock_that_is_set_back_tells_nothing_twice():
    leaver = person("leaver@x.org", end_date=NOW.date())
    notice_passed_dates(NOW)
    after = NOW + timedelta(days=1)
    assert [notice_passed_dates(moment) for moment in (after, NOW, after)] == [[leaver.pk], [], []]


# -- files


def test_a_file_says_where_people_are():
    plan = import_lines(
        "email,end_date,Time zone", "a@x.org,2026-03-10,europe/berlin", "b@x.org,,", "c@x.org,,Berlin"
    )
    assert problems(plan) == [(4, "time_zone", "'Berlin' is no time zone; write it as Europe/Berlin.")]
    import_lines("email,end_date,Time zone", "a@x.org,2026-03-10,europe/berlin", "b@x.org,,")
    assert list(Person.objects.order_by("email").values_list("time_zone", flat=True)) == [BERLIN, ""]
    import_lines("email,name", "a@x.org,Ada")
    assert Person.objects.get(email="a@x.org").time_zone == BERLIN


def test_of_two_rows_the_one_that_is_in_force_there_counts():
    """At noon of the 10th in UTC it is the 11th in Kiritimati: whoever ended there on the 10th is gone."""
    import_lines(
        "email,end_date,time_zone,groups",
        f"a@x.org,2026-03-10,{KIRITIMATI},old",
        f"a@x.org,2026-03-10,{LOS_ANGELES},new",
    )
    assert directory()["a@x.org"]["groups"] == ["new"]


def test_the_drop_guard_counts_by_each_ones_day():
    person("a@x.org", end_date=date(2026, 3, 10), time_zone=KIRITIMATI)
    person("b@x.org", end_date=date(2026, 3, 10), time_zone=LOS_ANGELES)
    plan = import_lines("email", "a@x.org", replace=True)
    assert problems(plan)[0][2].startswith("1 of 1 active people of source 'file' would lose access at once")
