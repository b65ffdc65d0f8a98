"""What a start or end date that is still to come will do, in plain words."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from cakewalk.words import called
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
        yield gettext(
            "Has access from %(day)s, 00:00 %(zone)s. A sync is due then, at once: "
            "every integration in mode extend or manage gives what the access rules say."
        ) % {"day": date_format(person.start_date), "zone": zone}
    if person.end_date and person.end_date >= today:
        until = {"day": date_format(person.end_date), "zone": zone}
        said = gettext("Has access until %(day)s, 24:00 %(zone)s. A sync is due then, at once")
        yield f"{said % until}{_of_the_end(accounts)}"


def _of_the_end(accounts: Iterable[Account] | None) -> str:
    if accounts is None:
        return gettext(": every integration in mode manage takes their access away.")
    held = list(accounts)
    if not held:
        return gettext("; no account is known to be theirs until now.")
    places = [account.integration for account in held]
    taken = [place for place in places if place.enabled and place.mode == Integration.Mode.MANAGE]
    left = [place for place in places if place not in taken]
    told = []
    if taken:
        said = ngettext(
            "they are removed from %(number)d integration in mode manage (%(names)s), "
            "within the limits set there",
            "they are removed from %(number)d integrations in mode manage (%(names)s), "
            "within the limits set there",
            len(taken),
        )
        told.append(said % {"number": len(taken), "names": _named(taken)})
    told += [_kept(place) for place in left]
    return f": {'; '.join(told)}."


def _named(places: list[Integration]) -> str:
    return listed([place.name for place in places])


def _kept(place: Integration) -> str:
    if not place.enabled:
        return gettext("they keep their account in %(place)s, which is disabled") % {"place": place}
    said = gettext("they keep their account in %(place)s, which is in mode %(mode)s and takes nothing")
    return said % {"place": place, "mode": called(place.mode)}
