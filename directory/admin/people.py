"""People: found, looked at, entered by hand, and deactivated instead of deleted."""

import re
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from cakewalk.exporting import WithExport, record_export
from cakewalk.ledger.recording import together
from cakewalk.theme import (
    AutocompleteSelectFilter,
    DropdownFilter,
    RelatedDropdownFilter,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    action,
    display,
)
from directory import revising
from directory.admin import why
from directory.admin.forecast import forecast
from directory.admin.past import by_hand, history_page, lines_of
from directory.admin.people_export import CSV, XLSX, exported
from directory.admin.people_import import import_page, upload_page
from directory.emails import email_key
from directory.models import EmailTaken, Group, Person, PersonEmail, Source
from directory.scim.models import UserRecord
from directory.time_zones import shown_zone, time_zone_names
from provisioning import requesting

BY_HAND = "by hand"
"""The source of people who are entered in the admin."""

LAST_REVISIONS = 5
"""So many changes are told on a person's page; their history tells all."""

NAMED = 20
"""How many people a question names before it counts the rest."""


def _time_zones() -> list[tuple[str, str]]:
    of_the_installation = gettext("As the installation (%(zone)s)") % {"zone": shown_zone("")}
    return [("", of_the_installation), *((name, name) for name in time_zone_names())]


class PersonForm(forms.ModelForm):  # type: ignore[type-arg]
    aliases = forms.CharField(
        label=_("Aliases"),
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Other addresses of this person, separated by commas."),
    )
    member_of = forms.ModelMultipleChoiceField(
        Group.objects.all(),
        required=False,
        label=_("Groups"),
        widget=AutocompleteSelectMultiple(Person._meta.get_field("groups"), admin.site),
        help_text=_("Access rules give access by group."),
    )

    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        choices=_time_zones,
        required=False,
        widget=UnfoldAdminSelectWidget(),
        help_text=_("Where the start date begins and the end date ends."),
    )

    class Meta:
        model = Person
        fields = (
            "email",
            "name",
            "active",
            "department",
            "title",
            "employee_id",
            "start_date",
            "end_date",
            "time_zone",
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["aliases"] = ", ".join(self.instance.aliases())
            self.initial["member_of"] = self.instance.groups.all()

    def clean_aliases(self) -> list[str]:
        aliases = [alias for alias in re.split(r"[\s,;]+", self.cleaned_data["aliases"]) if alias]
        for alias in aliases:
            try:
                validate_email(alias)
            except ValidationError as error:
                raise ValidationError(
                    gettext("%(address)s is not an e-mail address.") % {"address": alias}
                ) from error
        return aliases

    def clean(self) -> None:
        super().clean()
        email, aliases = self.cleaned_data.get("email"), self.cleaned_data.get("aliases", [])
        wanted = {email_key(alias): ("aliases", alias) for alias in aliases}
        if email:
            wanted[email_key(email)] = ("email", email)
        for key, (name, address) in wanted.items():
            if len(key) > 254:
                self.add_error(name, gettext("%(address)s is too long.") % {"address": address})
        held = PersonEmail.objects.filter(key__in=wanted).exclude(person=self.instance.pk)
        for holder in held.select_related("person__source"):
            name, address = wanted[holder.key]
            held_by = {"holder": holder.person.email, "source": holder.person.source, "address": address}
            said = gettext("%(address)s already belongs to %(holder)s of source '%(source)s'.") % held_by
            self.add_error(name, said)


class ActiveFilter(DropdownFilter):
    title = _("active")
    parameter_name = "active"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", gettext("Active today")), ("no", gettext("Not active today"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Person]) -> QuerySet[Person]:
        active = Person.objects.active_on(timezone.now())
        if self.value() == "yes":
            return queryset.filter(pk__in=active.values("pk"))
        if self.value() == "no":
            return queryset.exclude(pk__in=active.values("pk"))
        return queryset


class DepartmentFilter(DropdownFilter):
    title = _("department")
    parameter_name = "department"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = Person.objects.exclude(department="").order_by("department")
        return [(name, name) for name in names.values_list("department", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Person]) -> QuerySet[Person]:
        return queryset.filter(department=self.value()) if self.value() else queryset


@admin.register(Person)
class PersonAdmin(WithExport):
    form = PersonForm
    when_empty = _("Import a CSV or XLSX file, connect a SCIM client, or enter them by hand.")
    list_display = ("who", "email", "standing", "group_names", "source", "dates")
    list_display_links = ("who",)
    list_filter = (
        ActiveFilter,
        ("source", RelatedDropdownFilter),
        ("groups", AutocompleteSelectFilter),
        DepartmentFilter,
    )
    list_filter_submit = True
    list_select_related = ("source",)
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("name", "email", "employee_id")  # and every other address, see below
    search_help_text = _("Name, e-mail, alias or employee id")
    ordering = ("email",)
    actions = ("export_selected_csv", "export_selected_xlsx", "deactivate")
    actions_list = ("import_people", "export_csv", "export_xlsx")
    change_form_outer_before_template = "directory/person_panel.html"
    object_history_template = "directory/person_history.html"
    fieldsets = (
        (None, {"fields": ("email", "name", "aliases", "member_of")}),
        (_("Access"), {"fields": ("active", "start_date", "end_date", "time_zone")}),
        (_("Employment"), {"fields": ("department", "title", "employee_id")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: jobs and accounts refer to people. Deactivating takes their access."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Person]:
        people: QuerySet[Person] = super().get_queryset(request)
        groups = Prefetch("groups", Group.objects.order_by("name"))
        return people.select_related("source").prefetch_related(groups, "addresses")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Person], search_term: str
    ) -> tuple[QuerySet[Person], bool]:
        """By aliases too, which as a search field would join them, and sort all people to tell them apart."""
        found, distinct = super().get_search_results(request, queryset, search_term)
        if search_term:
            named = PersonEmail.objects.filter(address__icontains=search_term.strip())
            found |= queryset.filter(pk__in=named.values("person"))
        return found, distinct

    # -- the list

    @display(description=_("Name"), ordering="name")
    def who(self, person: Person) -> str:
        return person.name or person.email

    @display(description=_("State"), ordering="active")
    def standing(self, person: Person) -> SafeString:
        tone, text = _standing(person, timezone.now())
        return format_html('<span class="cw-label cw-label--{}">{}</span>', tone, text)

    @display(description=_("Groups"))
    def group_names(self, person: Person) -> str:
        return ", ".join(group.name for group in person.groups.all()) or "-"

    @display(description=_("From / until"), ordering="start_date")
    def dates(self, person: Person) -> str:
        start, end = person.start_date, person.end_date
        if start and end:
            return gettext("%(start)s to %(end)s") % {"start": date_format(start), "end": date_format(end)}
        if start:
            return gettext("from %(start)s") % {"start": date_format(start)}
        return gettext("until %(end)s") % {"end": date_format(end)} if end else "-"

    # -- exporting

    @action(description=_("Export CSV"), url_path="export-csv", permissions=["export"], icon="download")
    def export_csv(self, request: HttpRequest) -> StreamingHttpResponse:
        return self._exported(request, self.shown(request), CSV)

    @action(description=_("Export XLSX"), url_path="export-xlsx", permissions=["export"], icon="download")
    def export_xlsx(self, request: HttpRequest) -> StreamingHttpResponse:
        return self._exported(request, self.shown(request), XLSX)

    @action(description=_("Export the selected people as CSV"), permissions=["export"])
    def export_selected_csv(self, request: HttpRequest, people: QuerySet[Person]) -> StreamingHttpResponse:
        return self._exported(request, people, CSV)

    @action(description=_("Export the selected people as XLSX"), permissions=["export"])
    def export_selected_xlsx(self, request: HttpRequest, people: QuerySet[Person]) -> StreamingHttpResponse:
        return self._exported(request, people, XLSX)

    def _exported(self, request: HttpRequest, people: QuerySet[Person], form: str) -> StreamingHttpResponse:
        record_export(people, request, form=form)
        return exported(people, form)

    # -- the form. For somebody who may only look, these two stand in for the form's own fields.

    @display(description=_("Aliases"))
    def aliases(self, person: Person) -> str:
        return ", ".join(person.aliases()) or "-"

    @display(description=_("Groups"))
    def member_of(self, person: Person) -> str:
        return self.group_names(person)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        person = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if person is not None and self.has_view_permission(request, person):
            extra |= self._panel(request, person)
        return super().change_view(request, object_id, form_url, extra)

    def _panel(self, request: HttpRequest, person: Person) -> dict[str, Any]:
        now = timezone.now()
        tone, text = _standing(person, now)
        sees_accounts = request.user.has_perms(why.SEEN_BY)
        chapters = why.chapters_of(person, seen_by=request.user, now=now) if sees_accounts else []
        accounts = [account for chapter in chapters for account in chapter.theirs]
        return {
            "title": person.name or person.email,
            "subtitle": person.name or person.email,
            "person": person,
            "standing": {"tone": tone, "text": text},
            "known_as": UserRecord.objects.of(person.source).filter(person=person).first(),
            "fed": person.source.kind != Source.Kind.MANUAL,
            "forecast": list(forecast(person, accounts if sees_accounts else None, now=now)),
            "revisions": lines_of(person.revisions.order_by("-pk")[:LAST_REVISIONS]),
            "chapters": chapters,
            "sync_says": why.SYNC_SAYS,
            "may_run_on": [
                one.integration.pk
                for one in chapters
                if request.user.has_perm("provisioning.run_job", one.integration)
            ],
            "may_deactivate": person.active and self.has_change_permission(request, person),
        }

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        try:
            with together():
                return super().changeform_view(request, object_id, form_url, extra_context)
        except (EmailTaken, IntegrityError):
            # The form found the address free, and somebody else took it since.
            said = gettext("Nothing was saved: an address was taken by somebody else just now.")
            messages.error(request, said)
            return HttpResponseRedirect(request.get_full_path())

    def save_model(self, request: HttpRequest, obj: Person, form: Any, change: bool) -> None:
        before = revising.known([obj.pk] if change else [])
        if not change:
            obj.source, _ = Source.objects.get_or_create(name=BY_HAND, defaults={"kind": Source.Kind.MANUAL})
        super().save_model(request, obj, form, change)
        obj.claim_addresses(form.cleaned_data["aliases"])
        obj.groups.set(form.cleaned_data["member_of"])
        revising.note(before, [obj.pk], by=by_hand(request), now=timezone.now())
        requesting.people_changed([obj.pk])

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """What is said of people is written down where it is noted."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """As above."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """The ledger, and above it what was said of them by whomever."""
        person = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if person is not None and self.has_view_or_change_permission(request, person):
            extra |= history_page(person, request.GET.get("revisions"))
        return super().history_view(request, object_id, extra)

    # -- deactivating

    @action(description=_("Deactivate the selected people"), permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[Person]) -> HttpResponse | None:
        people = queryset.filter(active=True)
        if "confirmed" in request.POST:
            self._deactivate(request, people)
            return None
        number = people.count()
        if not number:
            messages.info(request, gettext("All of them are inactive already."))
            return None
        context = {
            **self.admin_site.each_context(request),
            "title": _("Deactivate people"),
            "opts": self.opts,
            "number": number,
            "people": people[:NAMED],
            "more": number - NAMED,
            "selected": request.POST.getlist(ACTION_CHECKBOX_NAME),
            "select_across": request.POST.get("select_across", "0"),
        }
        return TemplateResponse(request, "directory/deactivate.html", context)

    def deactivate_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        person = get_object_or_404(Person, pk=pk)
        if person.active:
            self._deactivate(request, Person.objects.filter(pk=pk))
        else:
            messages.info(request, gettext("%(person)s is inactive already.") % {"person": person})
        return redirect("admin:directory_person_change", pk)

    def _deactivate(self, request: HttpRequest, people: QuerySet[Person]) -> None:
        gone, now = list(people), timezone.now()
        ids = [person.pk for person in gone]
        with together():
            before = revising.known(ids)
            Person.objects.filter(pk__in=ids).update(active=False, updated_at=now)
            revising.note(before, ids, by=by_hand(request), now=now)
            requesting.people_changed(ids)
        messages.success(request, _deactivated(gone))

    # -- pages

    def get_urls(self) -> list[URLPattern]:
        def button(route: str, view: Any, name: str) -> URLPattern:
            pressed = self.admin_site.admin_view(require_POST(view))
            found: URLPattern = path(f"<int:pk>/{route}/", pressed, name=f"directory_person_{name}")
            return found

        return [
            button("deactivate", self.deactivate_one, "deactivate"),
            button("preview/<int:integration_pk>", why.preview, "preview"),
            button("sync/<int:integration_pk>", why.sync, "sync"),
            path("import/<int:pk>/", self.admin_site.admin_view(self.upload), name="directory_upload_page"),
            *super().get_urls(),
        ]

    def has_import_people_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("directory.import_people")

    @action(description=_("Import people"), url_path="import", permissions=["import_people"], icon="upload")
    def import_people(self, request: HttpRequest) -> HttpResponse:
        return import_page(self, request)

    def upload(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_import_people_permission(request):
            raise PermissionDenied
        return upload_page(self, request, pk)


def _deactivated(gone: list[Person]) -> str:
    if len(gone) == 1:
        said = gettext("Deactivated %(email)s. A sync is due for every enabled integration.")
        return said % {"email": gone[0].email}
    said = ngettext(
        "Deactivated %(number)d person. A sync is due for every enabled integration.",
        "Deactivated %(number)d people. A sync is due for every enabled integration.",
        len(gone),
    )
    return said % {"number": len(gone)}


def _standing(person: Person, now: datetime) -> tuple[str, str]:
    """A label's colour and text."""
    today = person.day_at(now)
    if not person.active:
        return "", gettext("Inactive")
    if person.start_date and person.start_date > today:
        return "info", gettext("Not started")
    if person.end_date and person.end_date < today:
        return "warning", gettext("Ended")
    return "success", gettext("Active")
