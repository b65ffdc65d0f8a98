"""Sources: where people come from, how many, and whether a source may be smaller than it was."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.signing_in.recently import proven
from cakewalk.theme import ChangeList, ModelAdmin, display
from directory.admin.ldap import pulls_of
from directory.models import Conflict, Person, Source
from provisioning import requesting


class SourceList(ChangeList):
    """The list with the people of each source, counted once for all of the page."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        of_these = Person.objects.filter(source__in=self.result_list).order_by()
        people = _by_source(of_these)
        active = _by_source(of_these.active_on(timezone.now()))
        for source in self.result_list:
            source.people_number, source.active_number = people.get(source.pk, 0), active.get(source.pk, 0)


def _by_source(people: QuerySet[Person]) -> dict[int, int]:
    return dict(people.values_list("source").annotate(number=Count("pk")))


@admin.register(Source)
class SourceAdmin(ModelAdmin):
    when_empty = _(
        "The first import, the first person entered by hand, or the command scim_source makes one."
    )
    list_display = ("name", "kind", "people_number", "active_number", "token_used_at", "drop_allowed_at")
    search_fields = ("name",)
    ordering = ("name",)
    actions = None
    fields = ("name", "kind", "token_issued_at", "drop_allowed_at")
    readonly_fields = ("kind", "token_issued_at", "drop_allowed_at")
    not_told = ("token_used_at",)
    change_form_outer_before_template = "directory/source_panel.html"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Only a client sends requests, and can cease to."""
        expects = obj is not None and obj.kind == Source.Kind.SCIM
        return (*self.fields, "quiet_after_hours") if expects else self.fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        """An import, the first person entered by hand, or scim_source makes one."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: without its people's source, nobody could say where they came from."""
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[SourceList]:
        return SourceList

    @display(description=_("People"))
    def people_number(self, source: Any) -> int:
        return int(source.people_number)

    @display(description=_("Active today"))
    def active_number(self, source: Any) -> int:
        return int(source.active_number)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        source = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if source is not None and self.has_view_permission(request, source):
            may_change = self.has_change_permission(request, source)
            people = Person.objects.filter(source=source)
            source.people_number = people.count()
            source.active_number = people.active_on(timezone.now()).count()
            extra |= {"title": source.name, "source": source, "may_change": may_change}
            extra |= {
                "address": request.build_absolute_uri("/scim/v2"),
                "has_old_token": source.has_old_token(now=timezone.now()),
                "open_conflicts": source.conflicts.filter(state=Conflict.State.OPEN).count(),
            }
            extra |= pulls_of(source, may_pull=may_change)
        return super().change_view(request, object_id, form_url, extra)

    def get_urls(self) -> list[URLPattern]:
        buttons = {"accept": self.accept_size, "rotate": self.rotate_token, "revoke": self.revoke_old_token}
        urls: list[URLPattern] = super().get_urls()
        for name, view in buttons.items():
            pressed = self.admin_site.admin_view(require_POST(view))
            urls.insert(0, path(f"<int:pk>/{name}/", pressed, name=f"directory_source_{name}"))
        return urls

    def accept_size(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        source = get_object_or_404(Source, pk=pk)
        with together():
            source.allow_drop(now=timezone.now())
            record(Verb.SIZE_ACCEPTED, source)
            requesting.directory_changed()
        said = gettext("The size of %(source)s is accepted. A sync is due for every enabled integration.")
        messages.success(request, said % {"source": source})
        return redirect("admin:directory_source_change", pk)

    @proven
    def rotate_token(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Answered with the token itself instead of leading on: it is shown once and kept nowhere."""
        source = self._scim_source(request, pk)
        token = source.issue_token(now=timezone.now())
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("The new token of %(source)s") % {"source": source},
            "opts": self.opts,
            "source": source,
            "token": token,
            "address": request.build_absolute_uri("/scim/v2"),
        }
        return TemplateResponse(request, "directory/token.html", context)

    def revoke_old_token(self, request: HttpRequest, pk: int) -> HttpResponse:
        source = self._scim_source(request, pk)
        source.revoke_old_token()
        said = gettext("The old token of %(source)s is void. Only the newest one works.")
        messages.success(request, said % {"source": source})
        return redirect("admin:directory_source_change", pk)

    def _scim_source(self, request: HttpRequest, pk: int) -> Source:
        if not self.has_change_permission(request):
            raise PermissionDenied
        return get_object_or_404(Source, pk=pk, kind=Source.Kind.SCIM)
