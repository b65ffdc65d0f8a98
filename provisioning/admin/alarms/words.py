"""How alarms and messages are shown: what was told is in English, and says so."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext

from provisioning.alarms.models import Delivery

TONES: Mapping[str, str] = {
    Delivery.State.WAITING: "info",
    Delivery.State.SENT: "success",
    Delivery.State.GIVEN_UP: "danger",
}


def english(text: str) -> SafeString:
    return format_html('<span lang="en">{}</span>', text)


def label(tone: str, text: Any) -> SafeString:
    return format_html('<span class="cw-label cw-label--{}">{}</span>', tone, text)


def link(page: str, row: Any) -> SafeString:
    return format_html('<a class="cw-link" lang="en" href="{}">{}</a>', reverse(page, args=[row.pk]), row)


def state_of(row: Delivery) -> SafeString:
    return label(TONES[Delivery.State(row.state)], row.get_state_display())


def standing(closed_at: datetime | None) -> SafeString:
    return label("", gettext("Over")) if closed_at else label("danger", pgettext("alarm", "Open"))
