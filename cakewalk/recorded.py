"""What staff change on the admin's pages stands in the ledger, and on each row's history page."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Model
from django.forms.models import _get_foreign_key
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from cakewalk.ledger.models import KINDS, Entry
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.saying import differences, fresh, said_of
from cakewalk.ledger.verbs import Verb
from cakewalk.words import called

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = object

PER_PAGE = 50
EMPTY: tuple[Any, ...] = (None, "", [], {})
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
"""As the ledger writes it."""
CHANGING = ("POST",)


class Recorded(Base):
    """For every ModelAdmin, in place of Django's own log: that one knows not from what to what.

    Whatever a page does about its row is one transaction, whose entries come last.
    """

    object_history_template = "cakewalk/history.html"
    not_told: tuple[str, ...] = ()
    """Fields that change by themselves, or follow from others that a form has."""

    def said(self, row: Any) -> dict[str, Any]:
        """What its fields say, and the lines of its tables."""
        own = {name: value for name, value in said_of(row).items() if name not in self.not_told}
        return own | {name: value for table in self.inlines for name, value in _lines(row, table)}

    def _stored(self, pk: Any) -> dict[str, Any]:
        """As it is in the database now, whatever a form has made of the row at hand."""
        row = fresh(self.model, pk)
        return self.said(row) if row else {}

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> Any:
        before = self._stored(form.instance.pk) if change else {}
        row = super().save_form(request, form, change)
        row.said_before = before
        return row

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        record(Verb.ADDED, obj, after=self._stored(obj.pk), email=_email(obj))

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        before, after = differences(obj.said_before, self._stored(obj.pk))
        if before or after:
            record(Verb.CHANGED, obj, before=before, after=after, email=_email(obj))

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:  # type: ignore[override]
        for row in queryset:
            record(Verb.DELETED, row, before=self.said(row), email=_email(row))

    # -- in one transaction, with its entries

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        if request.method not in CHANGING:
            return super().changeform_view(request, object_id, form_url, extra_context)
        with together():
            return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        if request.method not in CHANGING:
            return super().delete_view(request, object_id, extra_context)
        with together():
            return super().delete_view(request, object_id, extra_context)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if request.method not in CHANGING:
            return super().changelist_view(request, extra_context)
        with together():
            return super().changelist_view(request, extra_context)

    # -- the page

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        row = self.get_object(request, unquote(object_id))
        if row is None:
            if not self.has_view_or_change_permission(request):
                raise PermissionDenied
            return self._get_obj_does_not_exist_redirect(  # type: ignore[attr-defined,no-any-return]
                request, self.opts, object_id
            )
        if not self.has_view_or_change_permission(request, row):
            raise PermissionDenied
        page = Paginator(Entry.objects.about(row), PER_PAGE).get_page(request.GET.get("p"))
        context = {
            **self.admin_site.each_context(request),
            "title": _("History of %(row)s") % {"row": row},
            "subtitle": None,
            "opts": self.opts,
            "object": row,
            "page": page,
            "lines": [_told(entry, self.model) for entry in page],
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.object_history_template, context)


def _lines(row: Model, table: Any) -> Iterator[tuple[str, list[str]]]:
    key = _get_foreign_key(type(row), table.model, fk_name=table.fk_name)
    name = key.remote_field.get_accessor_name()
    with translation.override("en"):  # the record is English, whoever looks on
        yield name, sorted(str(line) for line in getattr(row, name).all())


def _email(row: Any) -> str:
    return getattr(row, "email", None) or ""


# -- an entry in words


def _told(entry: Entry, model: type[Model]) -> dict[str, Any]:
    """Facts stay as they are written down: they are part of the record."""
    said = entry.told()
    facts = said.get("facts") or {}
    return {
        "entry": entry,
        "kind": KINDS.get(entry.actor_kind, entry.actor_kind),  # type: ignore[call-overload]
        "what": dict(Verb.choices).get(entry.verb, entry.verb),
        "fields": list(_fields(said.get("before") or {}, said.get("after") or {}, model)),
        "facts": [
            (name.replace("_", " "), shown(value)) for name, value in facts.items() if value not in EMPTY
        ],
    }


def _fields(
    before: Mapping[str, Any], after: Mapping[str, Any], model: type[Model]
) -> Iterable[dict[str, Any]]:
    """What was never there and is empty is nothing to look at."""
    told = [name for name in {**before, **after} if name in before or after[name] not in EMPTY]
    for name in told:
        yield {
            "name": _name(name, model),
            "before": shown(before.get(name)),
            "after": shown(after.get(name)),
            "is_new": name not in before,
            "is_gone": name not in after,
        }


def _name(name: str, model: type[Model]) -> str:
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return called(name.replace("_", " "))
    return str(getattr(field, "verbose_name", "") or called(name.replace("_", " ")))


def shown(value: Any) -> Any:
    """A value of an entry for the eye."""
    match value:
        case None | "" | []:
            return _("nothing")
        case bool():
            return _("yes") if value else _("no")
        case list():
            return ", ".join(str(shown(one)) for one in value)
        case dict():
            return ", ".join(f"{name.replace('_', ' ')}: {shown(one)}" for name, one in value.items())
        case str() if MOMENT.fullmatch(value):
            return date_format(timezone.localtime(datetime.fromisoformat(value)), "DATETIME_FORMAT")
    return str(value)
