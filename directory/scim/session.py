"""One request of one client, and what it leads to."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Model
from scim2_models import ResponseParameters

from directory import revising
from directory.models import Person, Source


@dataclass
class Session:
    """`by`: who asks, in words. `changed`: people whose entry is another one now. `conflicts`: addresses that
    are somebody else's.
    """

    source: Source
    now: datetime
    by: str = ""
    changed: set[int] = field(default_factory=set)
    conflicts: list[tuple[str, Person]] = field(default_factory=list)

    def note(self, before: revising.Known, ids: Collection[int], about: Model | None = None) -> None:
        """Write down what of these people is another now than before."""
        self.changed.update(revising.note(before, ids, by=self.by, now=self.now, about=about))


def wants(parameters: ResponseParameters[Any] | None, attribute: str) -> bool:
    """Whether the answer may hold the attribute, so that it has to be loaded."""
    if parameters is None:
        return True
    if parameters.attributes:
        return any(_bare(path).partition(".")[0] == attribute for path in parameters.attributes)
    return all(_bare(path) != attribute for path in parameters.excluded_attributes or ())


def _bare(path: Any) -> str:
    """`members.value` of `urn:…:Group:members.value`."""
    return str(path).rpartition(":")[2].lower()
