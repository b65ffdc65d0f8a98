"""Projects, groups and roles as last seen."""

from datetime import datetime

from django.contrib import admin
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from cakewalk.exporting import ExportedAdmin
from cakewalk.templatetags.cakewalk import age
from cakewalk.theme import RelatedDropdownFilter, display
from cakewalk.words import called
from provisioning import wording
from provisioning.admin import exporting
from provisioning.admin.history import RecordAdmin
from provisioning.admin.presence import PresenceFilter
from provisioning.models import Entitlement


@admin.register(Entitlement)
class EntitlementAdmin(ExportedAdmin, RecordAdmin):
    when_empty = _("A job reads projects, groups or roles when a rule names one.")
    list_display = (
        "name",
        "what_kind",
        "integration",
        "holders",
        "groups",
        "treated",
        "first_seen_at",
        "last_seen",
    )
    list_filter = (PresenceFilter, "kind", ("integration", RelatedDropdownFilter))
    list_filter_submit = True
    list_select_related = ("integration",)
    related_to_export = ("integration",)
    as_table = staticmethod(exporting.entitlements_table)
    search_fields = ("name", "remote_id")
    ordering = (Lower("name"), "pk")
    fields = (
        "name",
        "what_kind",
        "integration",
        "remote_id",
        "holders",
        "groups",
        "treated",
        "first_seen_at",
        "seen_at",
        "gone_at",
    )
    readonly_fields = ("seen_at", "what_kind", "groups", "treated")

    @display(description=_("Last seen"))
    def seen_at(self, row: Entitlement) -> datetime:
        return row.seen_at

    @display(description=_("Last seen"))
    def last_seen(self, row: Entitlement) -> str:
        return age(row.seen_at)

    @display(description=_("Kind"), ordering="kind")
    def what_kind(self, entitlement: Entitlement) -> str:
        return called(entitlement.kind)

    @display(description=_("Treatment"))
    def treated(self, entitlement: Entitlement) -> str:
        return entitlement.treatment

    @display(description=_("Roles of groups"))
    def groups(self, entitlement: Entitlement) -> str:
        return wording.group_roles(entitlement.group_roles) or "-"
