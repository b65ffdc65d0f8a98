"""The records of a simulated organization, and how they are kept in a file between two starts."""

import copy
import hashlib
import json
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self, TypeVar

from integrations.connectors.openai.simulator.behaviour import Behaviour
from integrations.connectors.openai.simulator.listing import Listing
from integrations.connectors.openai.simulator.records import (
    AdminKey,
    Event,
    Group,
    Invite,
    Json,
    Membership,
    Project,
    ProjectGroup,
    ProjectKey,
    Role,
    ServiceAccount,
    User,
)

Record = TypeVar("Record")

KINDS: dict[str, type[Any]] = {
    "users": User,
    "departed": User,
    "invites": Invite,
    "projects": Project,
    "memberships": Membership,
    "service_accounts": ServiceAccount,
    "project_keys": ProjectKey,
    "admin_keys": AdminKey,
    "groups": Group,
    "roles": Role,
    "project_groups": ProjectGroup,
    "events": Event,
}
LATER = ("project_groups", "events")
"""Kinds that older state files do not have."""
FACTS = ("id", "salt", "serial", "admin_key", "read_only_key", "project_key")


class StateUnreadable(ValueError):
    """A state file that the simulator did not write, or that was damaged since."""


class Holdings:
    """`state`: a file that is written after every change, so that a restart keeps the organization.

    It keeps all but the `behaviour`, which each start chooses anew.
    """

    def __init__(
        self,
        *,
        state: Path | None = None,
        clock: Callable[[], float] = time.time,
        salt: str = "",
        behaviour: Behaviour | None = None,
    ) -> None:
        self.state = state
        self.behaviour = behaviour or Behaviour()
        self.clock = clock
        self.salt = salt or secrets.token_hex(8)
        self.serial = 0
        self.admin_key = self.read_only_key = self.project_key = ""
        self.users: dict[str, User] = {}
        self.departed: dict[str, User] = {}
        self.invites: dict[str, Invite] = {}
        self.projects: dict[str, Project] = {}
        self.memberships: dict[str, Membership] = {}
        self.service_accounts: dict[str, ServiceAccount] = {}
        self.project_keys: dict[str, ProjectKey] = {}
        self.admin_keys: dict[str, AdminKey] = {}
        self.groups: dict[str, Group] = {}
        self.roles: dict[str, Role] = {}
        self.project_groups: dict[str, ProjectGroup] = {}
        self.events: dict[str, Event] = {}
        self._listings: dict[str, Listing[Any]] = {}
        self.id = self.new_id("org-")

    @property
    def now(self) -> int:
        return int(self.clock())

    def new_id(self, prefix: str) -> str:
        """Looks random and is not: one salt gives the same ids again, and a restart never repeats one."""
        self.serial += 1
        digest = hashlib.sha256(f"{self.salt}/{self.serial}".encode()).hexdigest()
        return f"{prefix}{digest[:24]}"

    def listing(self, name: str, rows: Callable[[], Iterable[Record]], key: str = "id") -> Listing[Record]:
        """The rows in order, kept until the next change."""
        if name not in self._listings:
            self._listings[name] = Listing(rows(), lambda row: str(getattr(row, key)))
        return self._listings[name]

    def changed(self) -> None:
        self._listings.clear()
        if self.state is not None:
            self.save(self.state)

    def dump(self) -> Json:
        facts: Json = {fact: getattr(self, fact) for fact in FACTS}
        return facts | {name: [vars(row) for row in getattr(self, name).values()] for name in KINDS}

    @classmethod
    def load(cls, document: Json, **options: Any) -> Self:
        """The organization that `dump` described, with which it shares nothing; `options` are those of the
        constructor.
        """
        document, organization = copy.deepcopy(document), cls(**options)
        for fact in FACTS:
            setattr(organization, fact, document[fact])
        for name, kind in KINDS.items():
            rows = (kind(**row) for row in (document.get(name, ()) if name in LATER else document[name]))
            setattr(organization, name, {row.id: row for row in rows})
        return organization

    @classmethod
    def load_file(cls, path: Path, **options: Any) -> Self:
        try:
            return cls.load(json.loads(path.read_text()), **options)
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise StateUnreadable(f"{path} is not a simulator's state file ({reason}).") from error

    def save(self, path: str | Path) -> None:
        """Whole or not at all: a reader, or a crash, finds the old state or the new one."""
        path = Path(path)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w") as file:
                json.dump(self.dump(), file)
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
