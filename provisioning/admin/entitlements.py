"""Projects, groups and roles as last seen."""

from django.contrib import admin
from django.db.models.functions import Lower

from cakewalk.theme import RelatedDropdownFilter, display
from provisioning.admin.history import RecordAdmin
from provisioning.models import Entitlement


@admin.register(Entitlement)
class EntitlementAdmin(RecordAdmin):
    when_empty = "A job reads projects, groups or roles when an access rule names one."
    list_display = ("name", "kind", "integration", "holders", "treatment", "first_seen_at", "last_seen_at")
    list_filter = (("integration", RelatedDropdownFilter), "kind")
    list_filter_submit = True
    list_select_related = ("integration",)
    search_fields = ("name", "remote_id")
    ordering = (Lower("name"), "pk")
    fields = (
        "name",
        "kind",
        "integration",
        "remote_id",
        "holders",
        "treatment",
        "first_seen_at",
        "last_seen_at",
        "gone_at",
    )
    readonly_fields = ("treatment",)

    @display(description="Treatment")
    def treatment(self, entitlement: Entitlement) -> str:
        if entitlement.gone_at:
            return "Gone"
        if entitlement.unmanageable:
            return f"Left alone: {entitlement.unmanageable}"
        return "Kept in step" if entitlement.holders is not None else "Named by no rule"
