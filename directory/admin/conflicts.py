"""Conflicts: an address that one source wants and another source's person has. A person settles them."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from cakewalk.ledger.recording import together
from cakewalk.theme import ModelAdmin, RelatedDropdownFilter, display
from directory import revising
from directory.admin.past import by_hand
from directory.models import Conflict

TONES = {Conflict.State.OPEN: "warning", Conflict.State.HANDED_OVER: "success"}


@admin.register(Conflict)
class ConflictAdmin(ModelAdmin):
    when_empty = _("A source that wants an address of another source's person makes one.")
    list_display = ("address", "source", "person", "persons_source", "standing", "times", "last_at")
    list_filter = (("source", RelatedDropdownFilter), "state")
    list_filter_submit = True
    list_select_related = ("source", "person__source")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("address", "person__email", "person__name")
    ordering = ("-state", "-last_at")  # open ones first
    actions = None
    fields = (
        "address",
        "source",
        "person",
        "persons_source",
        "state",
        "times",
        "first_at",
        "last_at",
        "settled_at",
        "settled_by",
    )
    readonly_fields = fields
    change_form_outer_before_template = "directory/conflict_panel.html"

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """There is no form: a conflict is settled by a button."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It would be there again when the source asks again."""
        return False

    @display(description=_("Of source"), ordering="person__source")
    def persons_source(self, conflict: Conflict) -> str:
        return str(conflict.person.source)

    @display(description=_("State"), ordering="state")
    def standing(self, conflict: Conflict) -> SafeString:
        tone = TONES.get(Conflict.State(conflict.state), "")
        return format_html(
            '<span class="cw-label cw-label--{}">{}</span>', tone, conflict.get_state_display()
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        conflict = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if conflict is not None and self.has_view_permission(request, conflict):
            is_elsewhere = conflict.person.source_id != conflict.source_id
            may_settle = _may_settle(request)
            extra |= {
                "title": str(conflict),
                "conflict": conflict,
                "may_hand_over": may_settle and is_elsewhere,
                "may_dismiss": may_settle and conflict.state == Conflict.State.OPEN,
            }
        return super().change_view(request, object_id, form_url, extra)

    def get_urls(self) -> list[URLPattern]:
        urls: list[URLPattern] = super().get_urls()
        for name, view in (("hand_over", self.hand_over), ("dismiss", self.dismiss)):
            pressed = self.admin_site.admin_view(require_POST(view))
            urls.insert(0, path(f"<int:pk>/{name}/", pressed, name=f"directory_conflict_{name}"))
        return urls

    def hand_over(self, request: HttpRequest, pk: int) -> HttpResponse:
        with together():
            conflict = self._conflict(request, pk)
            before, now = conflict.person.source, timezone.now()
            known = revising.known([conflict.person_id])
            conflict.hand_over(by=request.user, now=now)
            revising.note(known, [conflict.person_id], by=by_hand(request), now=now)
        told = gettext(
            "Handed %(person)s over from %(before)s to %(source)s. "
            "It takes them over when it asks for them again."
        )
        whose = {"person": conflict.person, "before": before, "source": conflict.source}
        messages.success(request, told % whose)
        return redirect("admin:directory_conflict_change", pk)

    def dismiss(self, request: HttpRequest, pk: int) -> HttpResponse:
        with together():
            conflict = self._conflict(request, pk)
            conflict.dismiss(by=request.user, now=timezone.now())
        told = gettext("%(person)s stays a person of %(source)s.")
        messages.success(request, told % {"person": conflict.person, "source": conflict.person.source})
        return redirect("admin:directory_conflict_change", pk)

    def _conflict(self, request: HttpRequest, pk: int) -> Conflict:
        if not _may_settle(request):
            raise PermissionDenied
        return get_object_or_404(Conflict.objects.select_related("source", "person__source"), pk=pk)


def _may_settle(request: HttpRequest) -> bool:
    return request.user.has_perm("directory.change_conflict")
