"""What differs between organizations, and what OpenAI leaves open: each with all its answers. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass
class Behaviour:
    """`CHOICES` has the values of each switch, the usual one first. They can be changed at any time.

    `audit_logging`: an organization must switch it on. `scim_refuses_writes`: whether people and groups of
    the identity provider can be changed here. `key_deletion_refused`: the status with which an organization
    that forbids it answers. `service_account_keys_deletable`: OpenAI's description and its SDK disagree.
    `mislabels_project_keys`: the list of admin keys has shown project keys too. `missing_scope_status`: how a
    key that lacks a scope is told. `keys_of_lost_owners`: admin keys whose owner was removed are deleted,
    stay listed but dead, or go on working; in the first two cases those of a demoted owner are dead too.
    `role_change_drops_custom_roles`: whether a new role by name or id ends all others. `viewers_by_name`:
    whether people can be put into a project as viewers, as its groups can.
    """

    audit_logging: bool = True
    scim_refuses_writes: bool = True
    key_deletion_refused: int | None = None
    service_account_keys_deletable: bool = True
    mislabels_project_keys: bool = False
    missing_scope_status: int = 403
    keys_of_lost_owners: str = "deleted"
    role_change_drops_custom_roles: bool = False
    viewers_by_name: bool = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in CHOICES:
            raise ValueError(f"There is no switch {name!r}; there are {', '.join(CHOICES)}.")
        if value not in CHOICES[name]:
            raise ValueError(f"{name} is {_word(value)}; it can be {', '.join(map(_word, CHOICES[name]))}.")
        super().__setattr__(name, value)

    @classmethod
    def of_words(cls, switches: Iterable[str]) -> Self:
        """From `name=value`, as a command line has them; ValueError names the one that is no switch."""
        behaviour = cls()
        for switch in switches:
            name, _, word = switch.partition("=")
            values = {_word(value): value for value in CHOICES.get(name, ())}
            setattr(behaviour, name, values.get(word, word))
        return behaviour


CHOICES: Mapping[str, tuple[Any, ...]] = {
    "audit_logging": (True, False),
    "scim_refuses_writes": (True, False),
    "key_deletion_refused": (None, 400, 403),
    "service_account_keys_deletable": (True, False),
    "mislabels_project_keys": (False, True),
    "missing_scope_status": (403, 401),
    "keys_of_lost_owners": ("deleted", "dead", "working"),
    "role_change_drops_custom_roles": (False, True),
    "viewers_by_name": (True, False),
}


def _word(value: Any) -> str:
    return "no" if value is None or value is False else "yes" if value is True else str(value)
