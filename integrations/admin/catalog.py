"""The catalog: every connector there is, and what is connected through it."""

import base64
import importlib.resources

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse

from integrations.catalog import connector_classes
from integrations.connectors.base import Connector
from provisioning.standing import standings


def catalog(request: HttpRequest) -> TemplateResponse:
    if not request.user.has_perm("integrations.view_integration"):
        raise PermissionDenied
    found = standings()
    cards = [
        {
            "card": connector.card,
            "logo": logo(connector),
            "connected": [standing for standing in found if standing.integration.kind == kind],
        }
        for kind, connector in connector_classes().items()
    ]
    context = {
        **admin.site.each_context(request),
        "title": "Catalog",
        "cards": cards,
        "may_connect": request.user.has_perm("integrations.add_integration"),
    }
    return TemplateResponse(request, "integrations/catalog.html", context)


def logo(connector: type[Connector]) -> str:
    """The drawing in the connector's folder, as an address that needs no second request."""
    drawing = importlib.resources.files(_folder(connector)).joinpath("logo.svg").read_bytes()
    return f"data:image/svg+xml;base64,{base64.b64encode(drawing).decode('ascii')}"


def _folder(connector: type[Connector]) -> str:
    return connector.__module__.rpartition(".")[0]
