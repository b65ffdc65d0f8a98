"""How it went: accounts and jobs day by day, and how soon leavers were out."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from directory.models import Revision
from integrations.models import Integration
from provisioning import pictures, trends
from provisioning.delays import departures
from provisioning.lateness import Cause, main_cause
from provisioning.models import ProvisioningJob
from provisioning.promptness import promptness
from tests.admin.builders import account, action, integration, job
from tests.directory.builders import person

pytestmark = pytest.mark.django_db

State = ProvisioningJob.State
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def read(of: Integration, days_ago: float, accounts: int, **values: Any) -> ProvisioningJob:
    at = NOON - timedelta(days=days_ago)
    return job(of, planned_at=at, read={"accounts": accounts}, **values)


def accounts(*of: Integration, days: int) -> dict[int, list[int | None]]:
    return trends.accounts_read(of, trends.last_days(days, now=NOON))


def test_of_each_day_the_last_complete_read_counts_and_without_one_nothing_is_known() -> None:
    acme, other = integration("Acme"), integration("Other")
    read(acme, 0.1, 12)
    read(acme, 0.2, 99)
    read(acme, 2, 10, preview=True)
    read(acme, 1, 77, scope=ProvisioningJob.Scope.PEOPLE)
    job(acme, State.FAILED, planned_at=None)
    read(other, 0, 5)

    assert accounts(acme, other, days=3) == {acme.pk: [10, None, 12], other.pk: [None, None, 5]}


def test_a_day_is_that_of_whoever_looks() -> None:
    acme = integration()
    read(acme, 0.6, 7)  # half past nine in the evening of the 26th in London, and past ten in Berlin
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        assert accounts(acme, days=2) == {acme.pk: [None, 7]}
    assert accounts(acme, days=2) == {acme.pk: [7, None]}


def test_together_each_counts_as_it_was_last_read() -> None:
    assert trends.together([[None, 10, None, 12], [None, None, 5, 6]]) == [None, 10, 15, 18]


def test_many_integrations_are_looked_at_further_apart() -> None:
    assert [len(trends.spans_for(number, 90, now=NOON)) for number in (1, 4, 5, 100)] == [90, 90, 45, 4]
    spans = trends.spans_for(5, 90, now=NOON)
    assert all(one.until == following.since for one, following in pairwise(spans))
    assert spans[-1].until > NOON


def test_jobs_are_counted_by_their_day_and_how_they_ended() -> None:
    acme = integration()
    for state, days_ago in (
        (State.SUCCEEDED, 0),
        (State.SUCCEEDED, 0),
        (State.INCONCLUSIVE, 0),
        (State.PARTIAL, 1),
        (State.CANCELLED, 5),
    ):
        job(acme, state, requested_at=NOON - timedelta(days=days_ago))

    counted = trends.jobs_by_outcome(trends.last_days(3, now=NOON))

    assert counted == {
        "succeeded": [0, 0, 2],
        "in part": [0, 1, 0],
        "wrong": [0, 0, 1],
        "cancelled": [0, 0, 0],
    }


def test_leavers_are_told_by_how_long_it_took_and_who_was_late_stands_out() -> None:
    done = job(integration())
    for seconds in (3, 60, 61, 3600, 86_400, 86_401):
        action(done, situation="leaver", known_at=NOON, confirmed_at=NOON + timedelta(seconds=seconds))
    action(done, situation="leaver", known_at=NOON, confirmed_at=None)
    action(done, situation="leaver", known_at=NOON - timedelta(days=91), confirmed_at=NOON)

    told = promptness(now=NOON + timedelta(days=2))

    assert told is not None
    assert (list(told.within), told.late, told.unconfirmed) == ([2, 1, 1, 0, 1, 1], 1, 1)
    assert told.slowest == timedelta(seconds=86_401)
    drawn = pictures.leavers(told)
    assert [bar.tone for bar in drawn.bars] == ["success"] * 4 + ["danger"]


def test_the_target_is_the_integrations_own_and_who_is_late_is_told_with_the_cause() -> None:
    acme = integration(removal_target_hours=2)
    done = job(acme, planned_at=NOON)
    leaver = person("gone@example.org", active=False)
    hours = [timedelta(hours=number) for number in (1, 3)]
    for took in hours:
        action(
            done, situation="leaver", known_at=NOON, finished_at=NOON, confirmed_at=NOON + took, person=leaver
        )
    account(acme, email="gone@example.org", person=leaver)
    Revision.objects.create(person=leaver, at=NOON, by="hr", fields={"active": [True, False]})

    told = promptness(acme, now=NOON + timedelta(hours=2))
    assert told is not None
    assert (told.target_hours, told.late, list(told.late_within), len(told.overdue)) == (
        2,
        1,
        [0, 0, 0, 1, 0, 0],
        0,
    )
    told = promptness(acme, now=NOON + timedelta(hours=2.1))
    assert told is not None
    assert [(one.email, one.gone_at) for one in told.overdue] == [("gone@example.org", None)]
    (late,) = departures(acme.pk, told.breaches, now=NOON)
    assert main_cause(late).cause is Cause.UNCONFIRMED


def test_of_very_many_leavers_the_last_are_looked_at_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("provisioning.promptness.MOST", 2)
    done = job(integration())
    for hours in (1, 2, 3):
        known_at = NOON - timedelta(hours=hours)
        action(done, situation="leaver", known_at=known_at, confirmed_at=known_at + timedelta(seconds=hours))

    told = promptness(now=NOON)

    assert told is not None
    assert (told.number, told.slowest, told.are_the_last) == (2, timedelta(seconds=2), True)


def test_a_young_installation_has_no_months_of_nothing() -> None:
    acme = integration()
    read(acme, 3, 12)
    assert len(pictures.accounts([acme], now=NOON).columns) == 14
    read(acme, 20, 12)
    assert len(pictures.accounts([acme], now=NOON).columns) == 21
    assert pictures.accounts([integration("New")], now=NOON).is_empty
