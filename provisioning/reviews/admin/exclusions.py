"""Exceptions from the access rules: where they came from, and how they are lifted."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from cakewalk.site import signed_in
from cakewalk.theme import DropdownFilter, ModelAdmin, RelatedDropdownFilter, display
from provisioning.requesting import Refused
from provisioning.reviews import running
from provisioning.reviews.models import Exclusion


class InForceFilter(DropdownFilter):
    title = _("state")
    parameter_name = "lifted"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("no", _("In force")), ("yes", _("Lifted"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() in ("no", "yes"):
            return queryset.filter(lifted_at__isnull=self.value() == "no")
        return queryset


@admin.register(Exclusion)
class ExclusionAdmin(ModelAdmin):
    when_empty = _("A review makes one when it revokes what a rule would give again.")
    list_display = ("person", "what", "integration", "review", "standing", "made_at")
    list_filter = (InForceFilter, ("integration", RelatedDropdownFilter), ("review", RelatedDropdownFilter))
    list_filter_submit = True
    list_select_related = ("integration", "person", "review")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("person__email", "person__name", "entitlement_name", "reason")
    ordering = ("-pk",)
    actions = None
    fields = (
        "person",
        "what",
        "integration",
        "rules",
        "reason",
        "review",
        "made_at",
        "lifted_at",
        "lifted_by",
        "lift_reason",
    )
    readonly_fields = fields
    change_form_outer_before_template = "reviews/exclusion_panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Exclusion]:
        """What was only planned excepts nobody from anything."""
        return self.permitted(request, Exclusion.objects.carried_out())

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """There is no form: an exception is lifted by a button."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("What is not given"))
    def what(self, exclusion: Exclusion) -> str:
        return exclusion.what

    @display(description=_("State"), ordering="lifted_at")
    def standing(self, exclusion: Exclusion) -> SafeString:
        name, tone = (gettext("Lifted"), "") if exclusion.lifted_at else (gettext("In force"), "warning")
        return format_html('<span class="cw-label cw-label--{}">{}</span>', tone, name)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        exclusion = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if exclusion is not None and self.has_view_permission(request, exclusion):
            may_lift = exclusion.lifted_at is None and _may_lift(request, exclusion)
            extra |= {"title": str(exclusion), "exclusion": exclusion, "may_lift": may_lift}
        return super().change_view(request, object_id, form_url, extra)

    def get_urls(self) -> list[URLPattern]:
        urls: list[URLPattern] = super().get_urls()
        pressed = self.admin_site.admin_view(require_POST(self.lift))
        return [path("<int:pk>/lift/", pressed, name="reviews_exclusion_lift"), *urls]

    def lift(self, request: HttpRequest, pk: int) -> HttpResponse:
        exclusion = get_object_or_404(
            Exclusion.objects.select_related("integration", "person", "review"), pk=pk
        )
        if not _may_lift(request, exclusion):
            raise PermissionDenied
        try:
            running.lift(exclusion, by=signed_in(request), reason=request.POST.get("reason", ""))
        except Refused as refusal:
            messages.error(request, gettext("Not lifted. %(why)s") % {"why": refusal})
        else:
            said = gettext("The exception is lifted. What the rules give is given again by the next job.")
            messages.success(request, said)
        return redirect("admin:reviews_exclusion_change", pk)


def _may_lift(request: HttpRequest, exclusion: Exclusion) -> bool:
    return request.user.has_perm("reviews.change_exclusion", exclusion)
