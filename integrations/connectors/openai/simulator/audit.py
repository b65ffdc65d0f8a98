"""The audit log of a simulated organization: who changed what, by which key or in the console."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from integrations.connectors.openai.simulator.holdings import Holdings
from integrations.connectors.openai.simulator.records import Actor, Event

ACTOR: ContextVar[Actor | None] = ContextVar("actor", default=None)
"""Whoever acts in this thread; a request may be answered in another one meanwhile."""


class Audit(Holdings):
    """What is done to an organization while it is built by hand has no actor, and is not logged."""

    @contextmanager
    def acting(self, actor: Actor) -> Iterator[None]:
        former = ACTOR.set(actor)
        try:
            yield
        finally:
            ACTOR.reset(former)

    def tell(self, kind: str, resource_id: str, /, *, project_id: str | None = None, **details: Any) -> None:
        """Before `changed()`, which writes the state. By an admin key, all happens in the default project."""
        actor = ACTOR.get()
        if actor is None or not self.behaviour.audit_logging:
            return
        if actor.key_id is not None:
            project_id = next(project.id for project in self.projects.values() if project.is_default)
        event = Event(
            self.new_id("audit_log-"),
            kind,
            self.now,
            actor.shown(),
            {"id": project_id, "name": self.projects[project_id].name} if project_id else None,
            {"id": resource_id, **details},
        )
        self.events[event.id] = event
