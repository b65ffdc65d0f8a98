"""Lines for machines, and lines for people. Pure: gunicorn, too, which knows no Django, writes them."""

import json
import logging
import re
from datetime import UTC, datetime

from cakewalk.logs.context import Facts, current

SECRETS = re.compile(
    r"(?P<key>\bsk-|\bcakewalk-scim-)[\w-]{8,}"
    r"|(?P<token>\bBearer\s+)\S+"
    r"|(?P<server>\b\w+://[^\s:/@]*:)[^\s@/]+(?=@)",
    re.IGNORECASE,
)
"""The last belt: we log none of these, but an error of a library may quote what it was given."""


def redacted(text: str) -> str:
    return SECRETS.sub(lambda found: f"{found['key'] or found['token'] or found['server']}…", text)


class AsJson(logging.Formatter):
    """One object a line. Of what is handed over besides the message only `facts` is written: Django hands
    over whole requests, with all their headers.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redacted(record.getMessage()),
            **_facts(record),
        }
        if record.exc_info:
            line["exception"] = redacted(self.formatException(record.exc_info))
        if record.stack_info:
            line["stack"] = redacted(self.formatStack(record.stack_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class AsText(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("{asctime} {levelname} {name}: {message}", style="{")

    def formatMessage(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{name}={fact}" for name, fact in _facts(record).items())
        return super().formatMessage(record) + (f" [{facts}]" if facts else "")

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record))


def _facts(record: logging.LogRecord) -> Facts:
    return {**current(), **getattr(record, "facts", {})}
