"""The catalog: every connector there is, and what is connected through it."""

import base64
import functools
import importlib.resources
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from cakewalk.words import called
from integrations import permitting
from integrations.catalog import connector_classes
from integrations.connectors.base import Connector
from integrations.models import Integration
from provisioning.standing import Standing, standings

NOT_CONNECTED, ATTENTION, DISABLED, SIMULATED = "not_connected", "attention", "disabled", "simulated"

STATES: Mapping[str, Promise] = {
    NOT_CONNECTED: _("Not connected"),
    "observe": _("Observing"),
    "extend": _("Extending"),
    "manage": _("Managing"),
    ATTENTION: _("Needs attention"),
    DISABLED: _("Not enabled"),
    SIMULATED: _("Simulated"),
}
"""What one may filter by. An integration that works is in the state that its mode is called by."""

CONNECTED_SHOWN = 5
"""Integrations on one card; the list of integrations has all."""


def catalog(request: HttpRequest) -> TemplateResponse:
    """All cards are always there, those that do not match hidden: the script filters them without asking."""
    if not request.user.has_perm("integrations.view_integration"):
        raise PermissionDenied
    wanted = {name: request.GET.get(name, "").strip() for name in ("q", "category", "state")}
    connected = _by_kind(standings(permitting.seen_by(request.user)))
    cards = [
        _card(connector, connected[kind], wanted)
        for kind, connector in sorted(
            connector_classes().items(), key=lambda item: item[1].card.title.casefold()
        )
    ]
    context = {
        **admin.site.each_context(request),
        "title": _("Catalog"),
        "cards": cards,
        "found": sum(not card["hidden"] for card in cards),
        "wanted": wanted,
        "filtered": any(wanted.values()),
        "categories": sorted({card["card"].category for card in cards}),
        "states": list(STATES.items()),
        "may_connect": request.user.has_perm("integrations.add_integration"),
    }
    return TemplateResponse(request, "integrations/catalog.html", context)


def _by_kind(found: Iterable[Standing]) -> defaultdict[str, list[Standing]]:
    connected: defaultdict[str, list[Standing]] = defaultdict(list)
    for standing in found:
        connected[standing.integration.kind].append(standing)
    return connected


def _card(
    connector: type[Connector], connected: Sequence[Standing], wanted: Mapping[str, str]
) -> dict[str, Any]:
    card = connector.card
    states = states_of(connected)
    names = [standing.integration.name for standing in connected]
    said = (card.category, card.badge, card.summary)
    words = " ".join((card.title, card.kind, *said, *map(called, said), *names)).casefold()
    urgent_first = sorted(connected, key=lambda standing: not standing.problems)
    return {
        "card": card,
        "logo": logo(connector),
        "connected": urgent_first[:CONNECTED_SHOWN],
        "number": len(connected),
        "more": max(0, len(connected) - CONNECTED_SHOWN),
        "states": " ".join(sorted(states)),
        "words": words,
        "hidden": not matches(words, card.category, states, wanted),
    }


def states_of(connected: Sequence[Standing]) -> set[str]:
    """The states that the integrations of one connector are in."""
    if not connected:
        return {NOT_CONNECTED}
    states = {_state_of(standing) for standing in connected}
    return states | {SIMULATED} if any(standing.integration.simulated for standing in connected) else states


def _state_of(standing: Standing) -> str:
    if standing.problems:
        return ATTENTION
    return Integration.Mode(standing.integration.mode) if standing.integration.enabled else DISABLED


def matches(words: str, category: str, states: set[str], wanted: Mapping[str, str]) -> bool:
    """The same as in catalog.js: every word that is searched for, and what is chosen."""
    return (
        all(word in words for word in wanted["q"].casefold().split())
        and wanted["category"] in ("", category)
        and (not wanted["state"] or wanted["state"] in states)
    )


@functools.cache
def logo(connector: type[Connector]) -> str:
    """The drawing in the connector's folder, as an address that needs no second request."""
    drawing = importlib.resources.files(_folder(connector)).joinpath("logo.svg").read_bytes()
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing).decode('ascii')}"


def _folder(connector: type[Connector]) -> str:
    return connector.__module__.rpartition(".")[0]
