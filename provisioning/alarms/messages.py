"""What is said of an alarm: short, what it is about first, in English, for each kind of channel. Pure."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

LONGEST_TEXT = 2900
"""Slack cuts, or refuses, a section of more than 3,000 characters."""


@dataclass(frozen=True, slots=True)
class Told:
    """An alarm as it is told. `advice`: what to do; `url`: where; `alarm_url`: the alarm's own page."""

    id: str
    cause: str
    code: str
    name: str
    what: str
    detail: str
    advice: str
    url: str
    alarm_url: str
    integration: str | None
    opened_at: datetime
    closed_at: datetime | None = None
    unwatched: bool = False
    """Its integration was disabled, so that nobody knows whether it is over."""


def subject(told: Told, event: str, *, now: datetime) -> str:
    """`Acme: sync failed (credential_rejected)`, and `Acme: over after 2 h 5 min: sync failed (…)`."""
    since = lasted((told.closed_at or now) - told.opened_at)
    said = {
        "closed": f"over after {since}: {told.what}",
        "reminder": f"still open after {since}: {told.what}",
    }
    return _line(f"{told.name}: {said.get(event, told.what)}")


def text(told: Told, event: str) -> str:
    """All there is to know, in short paragraphs."""
    opened = f"Since {_at(told.opened_at)}."
    if event == "closed" and told.closed_at:
        unwatched = f"{told.name} is disabled, and not looked at any more." if told.unwatched else ""
        return _paragraphs(f"From {_at(told.opened_at)} to {_at(told.closed_at)}.", unwatched, told.url)
    return _paragraphs(told.detail, told.advice and f"What to do: {told.advice}", told.url, opened)


def webhook(told: Told, event: str, *, now: datetime) -> str:
    """The body of a webhook: https://github.com/standard-webhooks/standard-webhooks, with type and data."""
    data: dict[str, Any] = {
        "alarm": told.id,
        "title": subject(told, event, now=now),
        "cause": told.cause,
        "code": told.code,
        "about": told.name,
        "integration": told.integration,
        "detail": told.detail,
        "advice": told.advice,
        "url": told.url,
        "alarm_url": told.alarm_url,
        "opened_at": told.opened_at.isoformat(),
        "closed_at": told.closed_at.isoformat() if told.closed_at else None,
        "unwatched": told.unwatched,
    }
    return json.dumps(
        {"type": f"alarm.{event}", "timestamp": now.isoformat(), "data": data}, ensure_ascii=False
    )


SIGNS = {
    "opened": ":rotating_light:",
    "reminder": ":hourglass:",
    "closed": ":white_check_mark:",
    "test": ":bell:",
}


def slack(told: Told, event: str, *, now: datetime) -> str:
    """`text` says it all, for notifications and for those who know no blocks, such as Mattermost."""
    title = f"{SIGNS[event]} *{_escaped(subject(told, event, now=now))}*"
    rest = _escaped(text(told, event))[:LONGEST_TEXT]
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": part}} for part in (title, rest)]
    return json.dumps({"text": f"{title}\n{rest}", "blocks": blocks}, ensure_ascii=False)


def lasted(span: timedelta) -> str:
    minutes = max(round(span.total_seconds() / 60), 0)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else "less than a minute"


def _line(text: str) -> str:
    """For a head of a mail, in which a line break would begin another one."""
    return " ".join(text.split())[:400]


def _paragraphs(*parts: str) -> str:
    return "\n\n".join(part.strip() for part in parts if part.strip())


def _at(moment: datetime) -> str:
    return f"{moment:%d %b %Y, %H:%M %Z}".lstrip("0")


def _escaped(text: str) -> str:
    """Slack reads these three as its own, and a name might be `<!channel>`."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
