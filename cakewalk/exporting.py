"""Tables that are sent while they are read, and lists whose buttons export just what they show."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from itertools import chain, islice
from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import BadRequest
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from cakewalk import spreadsheets
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from cakewalk.portions import growing
from cakewalk.theme import ModelAdmin, action
from directory.time_zones import today


def record_export(
    rows: QuerySet[Any], request: HttpRequest, *, form: str = "csv", of: Model | None = None
) -> None:
    """Before the first line is sent, as whoever breaks off has seen what came until then. `of`: what they
    belong to.
    """
    asked = {name: ", ".join(request.GET.getlist(name)) for name in request.GET}
    with override("en"):  # the record is English, whoever asks
        name = str(rows.model._meta.verbose_name_plural)
    facts = {"of": name, "form": form, "rows": rows.count(), "asked_for": asked}
    record(Verb.EXPORT_BEGUN, of, name="" if of else name, facts=facts)


CHUNK = 500
"""Rows that are read at once, and told at once, if they are not the first."""


def table(
    called: str, columns: Iterable[str], rows: Iterable[Any], cells: Callable[[Any], Iterable[str]]
) -> StreamingHttpResponse:
    lines = spreadsheets.csv_lines(chain([columns], in_english(rows, cells)))
    name = f"{called}-{today():%Y-%m-%d}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def in_english(found: Iterable[Any], told: Callable[[Any], Any]) -> Iterator[Any]:
    """As all that is kept or read by machines, whoever asks for it. A chunk at a time, as the language
    belongs to the thread, which does other things in between.
    """
    rows = iter(found)
    for size in growing(CHUNK):
        with override("en"), timezone.override(UTC):
            said = [told(row) for row in islice(rows, size)]
        if not said:
            return
        yield from said


class WithExport(ModelAdmin):
    """A list with buttons that export just what it shows, filtered and searched as it is, all its pages."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """The theme's button leads to the bare address, without what the list is filtered and searched by."""
        page = super().changelist_view(request, extra_context)
        for button in (getattr(page, "context_data", None) or {}).get("actions_list", []):
            button["path"] = f"{button['path']}?{request.GET.urlencode()}"
        return page

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def shown(self, request: HttpRequest) -> QuerySet[Any]:
        """Where the list itself would take no notice of what it cannot read, a file would hold too much."""
        try:
            found: QuerySet[Any] = self.get_changelist_instance(request).get_queryset(request)
        except IncorrectLookupParameters as nonsense:
            raise BadRequest("The list cannot be filtered so.") from nonsense
        return found


class ExportedAdmin(WithExport):
    """Has one such button."""

    actions_list: tuple[str, ...] = ("export",)
    related_to_export: tuple[str, ...] = ()
    as_table: Callable[[QuerySet[Any]], StreamingHttpResponse]

    @action(description=_("Export"), url_path="export", permissions=["export"], icon="download")
    def export(self, request: HttpRequest) -> StreamingHttpResponse:
        rows = self.shown(request)
        record_export(rows, request)
        return type(self).as_table(rows.select_related(*self.related_to_export))
