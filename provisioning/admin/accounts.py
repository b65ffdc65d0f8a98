"""Accounts as last seen, whose they are, and the marks that set them apart."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Exists, OuterRef
from django.db.models.functions import Lower
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from cakewalk.exporting import ExportedAdmin
from cakewalk.templatetags.cakewalk import age
from cakewalk.theme import (
    ChoicesDropdownFilter,
    DropdownFilter,
    ModelAdmin,
    RelatedDropdownFilter,
    display,
)
from cakewalk.words import called
from directory.emails import email_key
from directory.models import Person
from directory.time_zones import today
from provisioning import inventory, wording
from provisioning.admin import exporting
from provisioning.admin.history import label
from provisioning.admin.keys import keys_of
from provisioning.admin.presence import PresenceFilter
from provisioning.models import Account, Mark, ProvisioningJob
from provisioning.models.accounts import SEEN_AT


class WhoseForm(forms.Form):
    """Whose an account is, and the job whose page said so."""

    person = forms.ModelChoiceField(Person.objects.all())
    job = forms.ModelChoiceField(ProvisioningJob.objects.all())


class SituationFilter(DropdownFilter):
    title = _("situation")
    parameter_name = "situation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("matched", _("Matched to a person")),
            ("orphan", _("Nobody's (orphans)")),
            ("ambiguous", _("Ambiguous")),
            ("protected", _("Protected")),
            ("ignored", _("Ignored")),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        asked = self.value()
        if asked not in Mark.Kind:
            return queryset.filter(situation=asked) if asked else queryset
        of_it = Mark.objects.filter(integration=OuterRef("integration"), key=OuterRef("lower"), kind=asked)
        return queryset.alias(lower=Lower("email")).filter(Exists(of_it.lasting(today())))


@admin.register(Account)
class AccountAdmin(ExportedAdmin):
    when_empty = _("A sync or a preview of an integration finds them.")
    list_display = (
        "who",
        "integration",
        "role",
        "state_label",
        "person_or_nobody",
        "found_by",
        "held_number",
        "last_seen",
    )
    list_filter = (
        PresenceFilter,
        ("integration", RelatedDropdownFilter),
        ("state", ChoicesDropdownFilter),
        SituationFilter,
        ("match", ChoicesDropdownFilter),
        "managed_elsewhere",
    )
    list_filter_submit = True
    list_select_related = ("integration", "person")
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("email", "name", "remote_id")
    autocomplete_fields = ("person",)
    ordering = (Lower("email"), "pk")
    actions = None
    related_to_export = ("integration", "person")
    as_table = staticmethod(exporting.accounts_table)
    fieldsets = (
        (
            _("Whose it is"),
            {
                "description": _(
                    "Choose the person where e-mail addresses cannot tell. A link made by hand "
                    "goes before every match by e-mail; empty the field to let e-mail decide again."
                ),
                "fields": ("person", "found_by"),
            },
        ),
        (
            _("As the last complete read saw it"),
            {
                "fields": (
                    "integration",
                    "remote_id",
                    "email",
                    "name",
                    "role",
                    "state",
                    "expires_at",
                    "held",
                    "keys_made",
                    "situation_name",
                    "managed_elsewhere",
                    "first_seen_at",
                    "seen_at",
                    "gone_at",
                )
            },
        ),
    )
    readonly_fields = (
        "found_by",
        "integration",
        "remote_id",
        "email",
        "name",
        "role",
        "state",
        "expires_at",
        "held",
        "keys_made",
        "situation_name",
        "managed_elsewhere",
        "first_seen_at",
        "seen_at",
        "gone_at",
    )

    def get_urls(self) -> list[URLPattern]:
        link = self.admin_site.admin_view(require_POST(self.link))
        return [
            path("<int:pk>/link/", link, name="provisioning_account_link"),
            *super().get_urls(),
        ]

    def link(self, request: HttpRequest, pk: int) -> HttpResponse:
        """One click on the page of a job that has found whose the account may be."""
        account = get_object_or_404(Account, pk=pk)
        if not self.has_change_permission(request, account):
            raise PermissionDenied
        form = WhoseForm(request.POST)
        if not form.is_valid():
            messages.error(request, gettext("Not linked. There is no such person or job; look again."))
            return redirect("admin:provisioning_account_change", pk)
        account.link_by_hand(form.cleaned_data["person"], job=form.cleaned_data["job"].pk)
        said = gettext("%(account)s belongs to %(person)s, linked by hand. The next sync goes by that.")
        messages.success(request, said % {"account": account, "person": account.person})
        return redirect("admin:provisioning_provisioningjob_change", form.cleaned_data["job"].pk)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Only whose it is; the rest is what the remote said. A form sent back as it was links nothing."""
        if obj.person_id and not form.has_changed():
            return
        obj.link_by_hand(obj.person)
        if obj.person:
            said = gettext("%(account)s belongs to %(person)s, linked by hand. The next sync goes by that.")
        else:
            said = gettext("%(account)s is matched by e-mail again. The next sync goes by that.")
        messages.info(request, said % {"account": obj, "person": obj.person})

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """A link by hand is written down where it is made."""

    @display(description=_("Account"), ordering=Lower("email"))
    def who(self, account: Account) -> str:
        return str(account)

    @display(description=_("State"), ordering="state")
    def state_label(self, account: Account) -> str:
        if account.gone_at:
            return label("", gettext("Gone"))
        if account.managed_elsewhere:
            return label("", gettext("Managed elsewhere"))
        name = account.get_state_display()
        if account.state == Account.State.INVITED and account.expires_at:
            name = f"{name}, {_time_left(account.expires_at, timezone.now())}"
        return label(account.state, name)

    @display(description=_("Person"), ordering="person__email")
    def person_or_nobody(self, account: Account) -> str:
        if account.person:
            return str(account.person)
        return wording.situation(account.situation) if account.situation else gettext("Nobody's")

    @display(description=_("Matched"), ordering="match")
    def found_by(self, account: Account) -> str:
        return account.get_match_display()

    @display(description=_("Last seen at"))
    def seen_at(self, row: Account) -> datetime:
        return row.seen_at

    @display(description=_("Last seen"), ordering=SEEN_AT)
    def last_seen(self, row: Account) -> str:
        return age(row.seen_at)

    @display(description=_("Grants"))
    def held_number(self, account: Account) -> str:
        """A remote names its projects by ids of 30 characters, which would fill the list."""
        numbers = Counter(grant["kind"] for grant in account.grants)
        return ", ".join(f"{n} {_kinds(kind, n)}" for kind, n in sorted(numbers.items())) or "-"

    @display(description=_("Grants"))
    def held(self, account: Account) -> str:
        return wording.grants(account.grants, inventory.names(account.integration)) or "-"

    @display(description=_("Keys"))
    def keys_made(self, account: Account) -> str:
        """Those that are there; the list has the rest."""
        return keys_of(account)

    @display(description=_("Situation"))
    def situation_name(self, account: Account) -> str:
        return wording.situation(account.situation) if account.situation else "-"


def _kinds(kind: str, number: int) -> str:
    return called(kind if number == 1 else f"{kind}s")


def _time_left(expires_at: datetime, now: datetime) -> str:
    """`3 days left`, for an invite that is open; it may have lapsed since it was read."""
    left = expires_at - now
    if left <= timedelta():
        return gettext("lapsed since")
    hours = int(left.total_seconds() // 3600)
    if left.days:
        return ngettext("%(number)d day left", "%(number)d days left", left.days) % {"number": left.days}
    return ngettext("%(number)d hour left", "%(number)d hours left", hours) % {"number": hours}


class MarkForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Mark
        fields = ("integration", "email", "kind", "reason", "until")

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        email, integration, until = typed.get("email"), typed.get("integration"), typed.get("until")
        if until and until < today():
            self.add_error("until", gettext("This day is over, so the mark would set nothing apart."))
        if email and integration:
            self.instance.key = email_key(email)
            if len(self.instance.key) > 254:
                self.add_error("email", gettext("%(address)s is too long.") % {"address": email})
            others = Mark.objects.filter(integration=integration, key=self.instance.key)
            if others.exclude(pk=self.instance.pk).exists():
                said = gettext("%(address)s is already marked in %(integration)s.")
                told = said % {"address": email, "integration": integration}
                self.add_error("email", ValidationError(told))
        return typed


@admin.register(Mark)
class MarkAdmin(ModelAdmin):
    form = MarkForm
    when_empty = _("A mark sets an account apart: protected, so that it is never touched, or ignored.")
    list_display = ("email", "integration", "kind_label", "reason", "until", "made_by", "made_at")
    list_filter = (("kind", ChoicesDropdownFilter), ("integration", RelatedDropdownFilter))
    list_select_related = ("integration", "made_by")
    search_fields = ("email", "reason")
    ordering = ("email",)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and db_field.name == "integration":
            field.widget.can_add_related = False  # connecting one is no matter of a small window
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.key = email_key(obj.email)
        obj.made_by = request.user
        super().save_model(request, obj, form, change)

    @display(description=_("Mark"), ordering="kind")
    def kind_label(self, mark: Mark) -> str:
        return label("held" if mark.kind == Mark.Kind.PROTECTED else "", called(mark.kind).capitalize())
