"""Every page of the admin, found in its address patterns, and its address for the rows of a company."""

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib.contenttypes.models import ContentType
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from directory.models import Person
from tests.admin.builders import Company
from tests.admin.roles import SHOWN_TO, SUPERUSER

APPS = (
    "alarms",
    "auth",
    "cakewalk",
    "directory",
    "evidence",
    "integrations",
    "ledger",
    "provisioning",
    "retention",
    "reviews",
)


def patterns() -> Iterator[tuple[str, str | None]]:
    """The route and the full name of each pattern below admin/."""
    for route, name in _walk(get_resolver().url_patterns):
        if route.startswith("admin/"):
            yield route, name


def _walk(found: Sequence[Any], route: str = "", space: str = "") -> Iterator[tuple[str, str | None]]:
    for entry in found:
        path = f"{route}{entry.pattern}"
        if isinstance(entry, URLResolver):
            inner = f"{space}{entry.namespace}:" if entry.namespace else space
            yield from _walk(entry.url_patterns, path, inner)
        elif isinstance(entry, URLPattern):
            yield path, f"{space}{entry.name}" if entry.name else None


def page_names() -> list[str]:
    return sorted({name for _, name in patterns() if name})


OF_OTHER_KINDS = {
    "admin:autocomplete",
    "admin:jsi18n",
    "admin:logout",
    "admin:provisioning_accessrule_names",
    "admin:search",
    "admin:view_on_site",
}
"""JSON, scripts, parts of pages, and ways to somewhere else."""


ROWS = {
    "admin:directory_upload_page": "an upload",
    "admin:provisioning_action_forget": "a saved search",
    "integrations:revoke_link": "key link",
    "reviews:review": "reviews_campaign",
}
"""Whose page it is, where its name does not tell."""


def html_pages() -> list[str]:
    """What a superuser can open in a browser and look at."""
    shown = {name for name, roles in SHOWN_TO.items() if SUPERUSER in roles}
    return sorted(name for name in shown - OF_OTHER_KINDS if "_export" not in name)


def address(name: str, company: Company) -> str:
    """Where the page is; a page of one row is that of the company's own."""
    match name:
        case "integrations:connect":
            return reverse(name, args=["openai"])
        case (
            "integrations:credential"
            | "integrations:welcome"
            | "admin:integrations_integration_mode"
            | "admin:integrations_integration_mode_preview"
        ):
            return reverse(name, args=[company.acme.pk, *(["extend"] if "mode" in name else [])])
        case "admin:directory_person_preview" | "admin:directory_person_sync":
            return reverse(name, args=[company.rows["directory_person"].pk, company.acme.pk])
        case _ if name in ROWS:
            row = company.rows[ROWS[name]]
            return reverse(name, args=[row.public_id if name == "reviews:review" else row.pk])
        case "admin:app_list":
            return reverse(name, args=["provisioning"])
        case "admin:view_on_site":
            return reverse(name, args=[ContentType.objects.get_for_model(Person).pk, 1])
        case "admin:autocomplete":
            field = {"app_label": "directory", "model_name": "person", "field_name": "groups"}
            return f"{reverse(name)}?{urlencode(field)}"
    try:
        return reverse(name)
    except NoReverseMatch:
        return reverse(name, args=[company.rows["_".join(model_of(name))].pk])


def model_of(name: str) -> tuple[str, str]:
    """`provisioning` and `account` of `admin:provisioning_account_change`."""
    app, model = name.removeprefix("admin:").split("_")[:2]
    return app, model
