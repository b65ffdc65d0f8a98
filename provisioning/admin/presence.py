"""What was there at the last read, what is new since a while, and what is gone."""

from datetime import timedelta
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cakewalk.theme import DropdownFilter

RECENT = timedelta(days=7)


class PresenceFilter(DropdownFilter):
    """What is there, unless the rest is asked for."""

    title = _("presence")
    parameter_name = "presence"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("new", gettext("First seen within %(number)d days") % {"number": RECENT.days}),
            ("ended", gettext("Gone within %(number)d days") % {"number": RECENT.days}),
            ("gone", gettext("Gone")),
            ("all", gettext("Present and gone")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        recently = timezone.now() - RECENT
        asked: dict[str, dict[str, Any]] = {
            "new": {"first_seen_at__gte": recently},
            "ended": {"gone_at__gte": recently},
            "gone": {"gone_at__isnull": False},
            "all": {},
        }
        return queryset.filter(**asked.get(self.value() or "", {"gone_at__isnull": True}))
