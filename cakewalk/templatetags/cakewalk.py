"""How values show on our own pages."""

from datetime import datetime, timedelta

from django import template

register = template.Library()

TONES = {
    "running": "info",
    "started": "info",
    "planned": "info",
    "awaiting_approval": "warning",
    "held": "warning",
    "partial": "warning",
    "inconclusive": "warning",
    "stale": "warning",
    "succeeded": "success",
    "done": "success",
    "allowed": "success",
    "active": "success",
    "failed": "danger",
    "refused": "danger",
    "unreachable": "danger",
    "ambiguous": "danger",
    "proposed": "info",
    "invited": "info",
    "expired": "warning",
}
"""The colour of each state's label; the rest are plain."""


@register.filter
def tone(state: str) -> str:
    return TONES.get(state, "")


@register.filter
def lasted(start: datetime | None, end: datetime | None) -> str:
    """How long something took: `0.4 s`, `12 s`, `3 min 20 s`; empty while it is not over."""
    return duration(end - start) if start and end else ""


@register.filter
def duration(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
