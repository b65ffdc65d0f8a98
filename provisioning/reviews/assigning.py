"""Who decides about which line of a review. Nobody about their own account. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from provisioning.policy import Key


@dataclass(frozen=True, slots=True)
class Reviewer:
    """`address`: the key of their own e-mail."""

    id: int
    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Reviewers:
    """By what they review: things of the remote, directory groups in order of their names, and the rest."""

    by_entitlement: Mapping[Key, Reviewer]
    by_group: Mapping[int, Reviewer]
    default: Reviewer

    def of(self, addresses: Collection[str], groups: Collection[int], held: Key | None) -> Reviewer | None:
        """Who is asked about what somebody of these addresses and groups has. None: nobody but themselves."""
        return next((one for one in self._in_turn(groups, held) if one.address not in addresses), None)

    def _in_turn(self, groups: Collection[int], held: Key | None) -> list[Reviewer]:
        """Who knows the thing comes before who knows the person, and the default reviewer after both."""
        of_thing = self.by_entitlement.get(held) if held else None
        of_person = [who for group, who in self.by_group.items() if group in groups]
        first = [of_thing] if of_thing else []
        others = [*self.by_group.values(), *self.by_entitlement.values()]
        return [*first, *of_person[:1], self.default, *sorted(others, key=lambda one: one.name)]
