"""Finds the function that answers a request, and whether the key may ask."""

import re
from collections.abc import Callable
from urllib.parse import unquote

from integrations.connectors.openai.simulator.asking import Asked
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.permissions import scope_needed
from integrations.connectors.openai.simulator.records import Json
from integrations.connectors.openai.simulator.refusals import MethodNotAllowed, NotFound

Answerer = Callable[..., Json]

ENDPOINTS: list[tuple[str, re.Pattern[str], Answerer]] = []


def endpoint(method: str, path: str) -> Callable[[Answerer], Answerer]:
    """Each `{name}` in the path becomes an argument of that name."""
    pattern = re.compile("/v1" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    def register(answerer: Answerer) -> Answerer:
        ENDPOINTS.append((method, pattern, answerer))
        return answerer

    return register


def answer(organization: Organization, asked: Asked) -> Json:
    """OpenAI's answer to one request; raises Refused, or one of its kinds, where it would be an error."""
    answerer, arguments = _find(asked)
    key = organization.authenticate(asked.secret, scope=scope_needed(asked.method, asked.path))
    organization.let_time_pass()
    with organization.acting(organization.actor_of(key)):
        return answerer(organization, asked, **arguments)


def _find(asked: Asked) -> tuple[Answerer, dict[str, str]]:
    found = [
        (method, answerer, match)
        for method, pattern, answerer in ENDPOINTS
        if (match := pattern.fullmatch(asked.path))
    ]
    for method, answerer, match in found:
        if method == asked.method:
            return answerer, {name: unquote(value) for name, value in match.groupdict().items()}
    if found:
        raise MethodNotAllowed(f"Not allowed to {asked.method} on {asked.path}.", code="method_not_supported")
    raise NotFound(f"Invalid URL ({asked.method} {asked.path})", code="unknown_url")


def deleted(kind: str, record_id: str) -> Json:
    return {"object": kind, "id": record_id, "deleted": True}
