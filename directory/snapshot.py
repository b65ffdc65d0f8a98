"""The directory as frozen values: what matching and planning see of it. Pure."""

from dataclasses import dataclass, field

from msgspec import Struct


class Person(Struct, frozen=True, gc=False):
    """Someone who should, or should no longer, have access. `keys` are e-mail keys, the primary one first."""

    id: int
    email: str
    keys: tuple[str, ...]
    name: str = ""
    active: bool = True
    groups: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Directory:
    """Everyone, or those a job is about, with the number of active people of each source (by name) for the
    drop guard.
    """

    people: tuple[Person, ...]
    active_by_source: dict[str, int] = field(default_factory=dict)

    @property
    def active(self) -> int:
        return sum(self.active_by_source.values())
