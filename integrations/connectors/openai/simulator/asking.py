"""What a request asks for, read strictly: a slip of the caller is refused by name. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from integrations.connectors.openai.simulator.listing import Window
from integrations.connectors.openai.simulator.records import Json
from integrations.connectors.openai.simulator.refusals import Refused

Value = TypeVar("Value")


@dataclass(frozen=True)
class Asked:
    """One request, without its HTTP."""

    method: str
    path: str
    query: Mapping[str, Sequence[str]]
    content: bytes
    secret: str | None

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    def body(self, *known: str) -> "Body":
        """The JSON object sent; any field beside `known` is refused, as OpenAI does."""
        try:
            sent = json.loads(self.content or b"{}")
        except ValueError:
            sent = None
        if not isinstance(sent, dict):
            raise Refused("We could not parse the JSON body of your request: it must be a JSON object.")
        for name in sent:
            if name not in known:
                raise Refused(
                    f"Unrecognized request argument supplied: {name}", param=name, code="unknown_parameter"
                )
        return Body(sent)

    def first(self, name: str) -> str | None:
        return self.query[name][0] if self.query.get(name) else None

    def values(self, name: str) -> Sequence[str]:
        """A list, as `name=…` repeated or as the SDK's `name[]=…`."""
        return [*self.query.get(name, ()), *self.query.get(f"{name}[]", ())]

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        value = self.first(name) or default
        if value not in choices:
            raise Refused(f"Invalid '{name}': '{value}'. Expected one of: {', '.join(choices)}.", param=name)
        return value

    def number(self, name: str) -> int | None:
        value = self.first(name)
        if value is not None and not value.isdecimal():
            raise Refused(f"Invalid '{name}': '{value}'. Expected an integer.", param=name)
        return None if value is None else int(value)

    def window(self, *, least: int = 1, default: int = 20, most: int = 100, order: str = "asc") -> Window:
        limit = self.first("limit") or str(default)
        if not limit.isdecimal() or not least <= int(limit) <= most:
            raise Refused(f"Invalid 'limit': '{limit}'. Expected {least} to {most}.", param="limit")
        descending = self.choice("order", ("asc", "desc"), order) == "desc"
        return Window(int(limit), self.first("after"), descending, self.first("before"))


class Body:
    """The fields of a JSON object, each asked for by name and type."""

    def __init__(self, fields: Json) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        value = self.optional(name, str)
        if value is None:
            raise Refused(
                f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter"
            )
        return value

    def texts(self, name: str) -> list[str]:
        values: list[Any] | None = self.optional(name, list)
        if values is None or not all(isinstance(value, str) for value in values):
            raise Refused(f"Invalid '{name}': expected an array of strings.", param=name)
        return values

    def optional_texts(self, name: str) -> list[str] | None:
        """None where the field is absent or null."""
        return None if self.optional(name, list) is None else self.texts(name)

    def has(self, name: str) -> bool:
        """Even where it is null."""
        return name in self._fields

    def optional(self, name: str, kind: type[Value]) -> Value | None:
        """None where the field is absent or null."""
        value = self._fields.get(name)
        if value is not None and not isinstance(value, kind):
            raise Refused(
                f"Invalid type for '{name}': expected {kind.__name__}.", param=name, code="invalid_type"
            )
        return value

    def roles_by_project(self, name: str) -> dict[str, str] | None:
        """None where the field is absent, which an empty array is not."""
        grants: list[Any] | None = self.optional(name, list)
        if grants is None:
            return None
        try:
            return {str(grant["id"]): str(grant["role"]) for grant in grants}
        except (KeyError, TypeError):
            raise Refused(f"Invalid '{name}': expected an array of id and role.", param=name) from None
