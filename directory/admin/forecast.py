"""What a start or end date that is still to come will do, in plain words."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.utils.formats import date_format

from directory.models import Person
from directory.people_table import listed
from directory.time_zones import shown_zone
from integrations.models import Integration
from provisioning.models import Account


def forecast(person: Person, accounts: Iterable[Account] | None, *, now: datetime) -> Iterator[str]:
    """Sentences in the order of the days. `accounts`: theirs, or None for readers who may not see them."""
    if not person.active:
        return
    today, zone = person.day_at(now), shown_zone(person.time_zone)
    if person.start_date and person.start_date > today:
        yield (
            f"Has access from {date_format(person.start_date)}, 00:00 {zone}. A sync is due then, at once: "
            "every integration in mode extend or manage gives what the access rules say."
        )
    if person.end_date and person.end_date >= today:
        yield (
            f"Has access until {date_format(person.end_date)}, 24:00 {zone}. A sync is due then, at once"
            f"{_of_the_end(accounts)}"
        )


def _of_the_end(accounts: Iterable[Account] | None) -> str:
    if accounts is None:
        return ": every integration in mode manage takes their access away."
    held = list(accounts)
    if not held:
        return "; no account is known to be theirs until now."
    places = [account.integration for account in held]
    taken = [place for place in places if place.enabled and place.mode == Integration.Mode.MANAGE]
    left = [place for place in places if place not in taken]
    told = []
    if taken:
        number = f"{len(taken)} integration{'s' * (len(taken) != 1)}"
        told.append(
            f"they are removed from {number} in mode manage ({_named(taken)}), within the limits set there"
        )
    told += [f"they keep their account in {place}, which {_why_kept(place)}" for place in left]
    return f": {'; '.join(told)}."


def _named(places: list[Integration]) -> str:
    return listed([place.name for place in places])


def _why_kept(place: Integration) -> str:
    return f"is in mode {place.mode} and takes nothing" if place.enabled else "is disabled"
