"""Time zones by their IANA names, and which day it is in each of them."""

from collections.abc import Iterable
from datetime import date, datetime, time
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


def time_zone_named(written: str) -> str | None:
    """The zone's name as IANA writes it, whatever the case of `written`; None where there is none."""
    return _names().get(written.casefold())


@cache
def _names() -> dict[str, str]:
    return {name.casefold(): name for name in sorted(available_timezones())}


def time_zone_names() -> list[str]:
    return list(_names().values())


def validate_time_zone(name: str) -> None:
    if time_zone_named(name) != name:
        raise ValidationError(
            _("%(name)s is no time zone; write it as Europe/Berlin."), params={"name": name}
        )


def today() -> date:
    """Which day it is for the installation, whoever looks on from wherever."""
    return timezone.localdate(timezone=timezone.get_default_timezone())


def midnight(day: date) -> datetime:
    """When the day begins for the installation, whoever looks on from wherever."""
    return timezone.make_aware(datetime.combine(day, time.min), timezone.get_default_timezone())


def day_in(name: str, moment: datetime) -> date:
    """Which day it is there. No name, or one that IANA has dropped, stands for the installation's zone."""
    return moment.astimezone(_zone(name)).date()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or timezone.get_default_timezone_name())
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(timezone.get_default_timezone_name())


def shown_zone(name: str) -> str:
    return name or timezone.get_default_timezone_name()


def by_day(names: Iterable[str], moment: datetime) -> dict[date, list[str]]:
    """The zones by the day that it is there: at any moment two days, or three."""
    days: dict[date, list[str]] = {}
    for name in names:
        days.setdefault(day_in(name, moment), []).append(name)
    return days
