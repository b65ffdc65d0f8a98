"""Keys and service accounts as last seen, and which of them somebody should look at."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from cakewalk.exporting import ExportedAdmin
from cakewalk.theme import DropdownFilter, RelatedDropdownFilter, display
from cakewalk.words import called
from directory.time_zones import today
from integrations import permitting
from integrations.models import Integration
from provisioning.admin import exporting
from provisioning.admin.history import RecordAdmin, label
from provisioning.admin.presence import PresenceFilter
from provisioning.models import Account, Key

SHOWN_OF_ONE = 20


class KeyPresenceFilter(PresenceFilter):
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("changed", gettext("New or gone at the last read")), *super().lookups(request, model_admin)]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.changed() if self.value() == "changed" else super().queryset(request, queryset)


class OwnerFilter(DropdownFilter):
    title = _("owner")
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("left", gettext("Has left")),
            ("unattended", gettext("Service account without a person in its project")),
            ("known", gettext("A person of the directory")),
            ("unknown", gettext("A member, and nobody of the directory")),
            ("machine", gettext("Service account")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        match self.value():
            case "left":
                return queryset.of_leavers(today())
            case "unattended":
                return queryset.filter(unattended=True)
            case "known":
                return queryset.filter(account__person__isnull=False)
            case "unknown":
                return queryset.filter(account__gone_at=None, account__isnull=False, account__person=None)
            case "machine":
                return queryset.filter(of_machine=True)
        return queryset


class LifeFilter(DropdownFilter):
    title = _("use and expiry")
    parameter_name = "life"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("unused", gettext("Not used for %(number)d days") % {"number": Key.UNUSED_FOR.days}),
            ("expiring", gettext("Expires within %(number)d days") % {"number": Key.EXPIRES_WITHIN.days}),
            ("expired", gettext("Expired")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        now = timezone.now()
        match self.value():
            case "unused":
                return queryset.unused_since(now - Key.UNUSED_FOR)
            case "expiring":
                return queryset.filter(expires_at__gt=now, expires_at__lte=now + Key.EXPIRES_WITHIN)
            case "expired":
                return queryset.filter(expires_at__lte=now)
        return queryset


@admin.register(Key)
class KeyAdmin(ExportedAdmin, RecordAdmin):
    when_empty = _("A sync finds them at its end, once a day.")
    list_before_template = "provisioning/keys_read.html"
    list_display = (
        "called",
        "what_kind",
        "place",
        "integration",
        "owner",
        "person",
        "standing",
        "last_used_at",
        "expires_at",
        "first_seen_at",
    )
    list_filter = (
        KeyPresenceFilter,
        OwnerFilter,
        LifeFilter,
        "kind",
        ("integration", RelatedDropdownFilter),
    )
    list_filter_submit = True
    list_select_related = ("integration", "account__person")
    related_to_export = ("integration", "account__person")
    as_table = staticmethod(exporting.keys_table)
    search_fields = (
        "name",
        "place",
        "shown",
        "remote_id",
        "owner_name",
        "account__email",
        "account__person__email",
    )
    ordering = (Lower("name"), "pk")
    fieldsets = (
        (None, {"fields": ("called", "what_kind", "place", "integration", "shown", "remote_id", "standing")}),
        (_("Whose it is"), {"fields": ("owner", "person")}),
        (
            _("As the last complete read saw it"),
            {
                "fields": (
                    "as_of",
                    "made_at",
                    "last_used_at",
                    "expires_at",
                    "first_seen_at",
                    "last_seen_at",
                    "gone_at",
                )
            },
        ),
    )
    readonly_fields = ("called", "what_kind", "standing", "owner", "person", "as_of")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Key]:
        return self.permitted(request, Key.objects.telling_who_left(today()))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        read = Integration.objects.exclude(keys_asked_at=None).order_by(Lower("name"))
        reads = permitting.of_those_permitted(read, request.user, "provisioning.view_key")
        return super().changelist_view(request, {**(extra_context or {}), "reads": reads})

    @display(description=_("Name"), ordering=Lower("name"))
    def called(self, key: Key) -> str:
        return str(key)

    @display(description=_("Kind"), ordering="kind")
    def what_kind(self, key: Key) -> str:
        return called(key.kind)

    @display(description=_("Owner"), ordering="account__email")
    def owner(self, key: Key) -> str:
        if key.account:
            return _link("admin:provisioning_account_change", key.account)
        name = key.owner_name or key.owner_id
        if name and key.of_machine:
            return gettext("%(name)s (service account)") % {"name": name}
        return name or "-"

    @display(description=_("Person"), ordering="account__person__email")
    def person(self, key: Key) -> str:
        whose = key.account.person if key.account else None
        return _link("admin:directory_person_change", whose) if whose else "-"

    @display(description=_("Standing"))
    def standing(self, key: Any) -> str:
        found = list(_standing(key, timezone.now()))
        return format_html_join(" ", "{}", ((label(*one),) for one in found)) or "-"

    @display(description=_("Read as of"))
    def as_of(self, key: Key) -> datetime | None:
        return key.integration.keys_read_at


def _standing(key: Any, now: datetime) -> Iterator[tuple[str, str]]:
    """Labels with what decides their colour."""
    if key.gone_at:
        yield "", gettext("Gone")
        return
    if key.is_ours:
        yield "active", gettext("In use here")
    if key.owner_has_left:
        yield "failed", gettext("Owner has left")
    if key.unattended:
        yield "held", gettext("Nobody attends")
    if key.expires_at and key.expires_at <= now:
        yield "", gettext("Expired")
    elif key.expires_at and key.expires_at - now <= Key.EXPIRES_WITHIN:
        days = (key.expires_at - now).days
        said = ngettext("Expires in %(number)d day", "Expires in %(number)d days", days) % {"number": days}
        yield "expired", said if days else gettext("Expires today")
    if _is_unused(key, now - Key.UNUSED_FOR):
        yield "", gettext("Unused for %(number)d days") % {"number": Key.UNUSED_FOR.days}


def _is_unused(key: Key, since: datetime) -> bool:
    used = key.last_used_at or key.made_at
    return used is not None and used < since and bool(key.owner_id or not key.of_machine)


def _link(page: str, row: Any) -> SafeString:
    return format_html('<a class="cw-link" href="{}">{}</a>', reverse(page, args=[row.pk]), row)


def keys_of(account: Account) -> str:
    """Each with its page, as links; the list has what is beyond the first and what is gone."""
    keys = account.keys.all().order_by(Lower("name"), "pk")
    present = list(keys.filter(gone_at=None)[: SHOWN_OF_ONE + 1])
    if not present and not keys.exists():
        return "-"
    links = [(_link("admin:provisioning_key_change", key), key.place) for key in present[:SHOWN_OF_ONE]]
    shown = format_html_join(", ", "{} ({})", links) or gettext("None now")
    every = f"{reverse('admin:provisioning_key_changelist')}?account__id__exact={account.pk}&presence=all"
    all_of_them = gettext("All, with those that are gone")
    return format_html('{}. <a class="cw-link" href="{}">{}</a>', shown, every, all_of_them)
