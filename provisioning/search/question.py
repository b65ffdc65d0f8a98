"""A question to the history, as a value: every part narrows what is found, and none of them asks for all."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

CHANGES = "changes"
"""In place of a kind: every kind but reports, which call nobody."""

MARK = ":"
"""Before what is no person in the place of one: usernames cannot hold it."""


@dataclass(frozen=True, slots=True)
class Question:
    """`who`: an address, a name or the id of an account; `person`: by their id in the directory.

    `rule`, `held`: names as they were then. `state`: an outcome as the pages of jobs count them. `since` and
    `until`: when it ended, the latter not included. `by`: a username, or a trigger after MARK; `part`: what
    that person did. `previews`: what was only previewed, in place of what was carried out.
    """

    who: str = ""
    person: int | None = None
    rule: str = ""
    held: str = ""
    kind: str = ""
    state: str = ""
    situation: str = ""
    since: datetime | None = None
    until: datetime | None = None
    by: str = ""
    part: str = ""
    integration: int | None = None
    previews: bool = False

    def as_json(self) -> dict[str, Any]:
        """What was asked, without what was not."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in said.items()
            if value not in ("", None, False)
        }
