"""LDAP servers: how each is asked, what came of it, and the button that asks now."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from cakewalk.encryption import Secret
from cakewalk.signing_in.recently import ProvenChanges
from cakewalk.templatetags.cakewalk import tone
from cakewalk.theme import (
    ModelAdmin,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    display,
)
from directory.models import LdapServer, Pull, Source
from provisioning import pulling

PULLS_SHOWN = 10
WHERE = ("url", "start_tls", "ca_certificates", "bind_dn")
"""Who changes one of these could let the stored password be sent to a server of their own."""
SETTINGS = (
    (_("Server"), ("flavour", "url", "start_tls", "ca_certificates", "bind_dn", "new_password")),
    (_("People"), ("base_dn", "people_filter", "attributes")),
    (_("Groups"), ("read_groups", "group_base_dn", "group_filter", "nested_groups")),
    (_("When"), ("pull_every_minutes",)),
)


class LdapServerForm(forms.ModelForm):  # type: ignore[type-arg]
    source_name = forms.CharField(
        max_length=100, label=_("Name"), help_text=_("Of the source."), widget=UnfoldAdminTextInputWidget()
    )
    new_password = forms.CharField(
        required=False,
        max_length=500,
        strip=False,
        label=_("Password"),
        help_text=_("It is stored encrypted and never shown. Empty: the stored one stays."),
        widget=UnfoldAdminPasswordWidget({"autocomplete": "off", "spellcheck": "false"}),
    )

    class Meta:
        model = LdapServer
        fields = tuple(name for _, names in SETTINGS for name in names if name != "new_password")
        widgets = {
            "ca_certificates": UnfoldAdminTextareaWidget({"rows": 3, "spellcheck": "false"}),
            "attributes": UnfoldAdminTextareaWidget({"rows": 4, "spellcheck": "false"}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            del self.fields["source_name"]  # it is changed on the source's own page

    def clean_source_name(self) -> str:
        name: str = self.cleaned_data["source_name"]
        if Source.objects.filter(name=name).exists():
            raise ValidationError(gettext("There is a source '%(name)s' already.") % {"name": name})
        return name

    def clean(self) -> None:
        super().clean()
        typed = self.cleaned_data
        if not typed.get("bind_dn") or typed.get("new_password"):
            return
        if not self.instance.pk:
            self.add_error("new_password", gettext("Who signs in needs a password."))
        elif set(WHERE) & set(self.changed_data):
            said = gettext("Enter the password again: it goes to another place than before.")
            self.add_error("new_password", said)

    def save(self, commit: bool = True) -> Any:
        if not self.cleaned_data["bind_dn"]:
            self.instance.password = Secret("")
        elif typed := self.cleaned_data["new_password"]:
            self.instance.password = Secret(typed)
        return super().save(commit)


@admin.register(LdapServer)
class LdapServerAdmin(ProvenChanges, ModelAdmin):
    """Its permissions are those of sources."""

    form = LdapServerForm
    when_empty = _("Add the LDAP server or Active Directory that knows who works for you.")
    list_display = ("source", "url", "flavour", "last_pull", "next_pull_at")
    list_select_related = ("source",)
    search_fields = ("source__name", "url")
    ordering = ("source__name",)
    actions = None
    not_told = ("next_pull_at", "asked_at", "pulling_until")
    change_form_outer_before_template = "directory/ldap_panel.html"

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("directory.view_source")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("directory.change_source")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("directory.change_source")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never, as its source."""
        return False

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        shown = [(title, {"fields": names}) for title, names in SETTINGS]
        if obj is None:
            return [(None, {"fields": ("source_name",)}), *shown]
        if self.has_change_permission(request, obj):
            return shown
        return [
            (title, {"fields": tuple(name for name in names if name != "new_password")})
            for title, names in SETTINGS
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[LdapServer]:
        servers: QuerySet[LdapServer] = super().get_queryset(request)
        last = Pull.objects.filter(source=OuterRef("source")).order_by("-pk").values("outcome")[:1]
        # The password is neither shown nor needed, and without its key it could not be read.
        return servers.defer("password").select_related("source").annotate(last_outcome=Subquery(last))

    @display(description=_("Last pull"), ordering="last_outcome")
    def last_pull(self, server: Any) -> SafeString | str:
        if not server.last_outcome:
            return "-"
        text = Pull.Outcome(server.last_outcome).label
        return format_html('<span class="cw-label cw-label--{}">{}</span>', tone(server.last_outcome), text)

    @method_decorator(sensitive_post_parameters("new_password"))
    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        return super().changeform_view(request, object_id, form_url, extra_context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        server = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if server is not None and self.has_view_permission(request, server):
            extra |= {"title": str(server.source), "subtitle": str(server.source)}
            extra |= pulls_of(server.source, may_pull=self.has_change_permission(request, server))
        return super().change_view(request, object_id, form_url, extra)

    def save_model(self, request: HttpRequest, obj: LdapServer, form: Any, change: bool) -> None:
        if not change:
            obj.source = Source.objects.create(name=form.cleaned_data["source_name"], kind=Source.Kind.LDAP)
        super().save_model(request, obj, form, change)
        if "pull_every_minutes" in form.changed_data:
            obj.reschedule(now=timezone.now())

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.pull))
        urls: list[URLPattern] = super().get_urls()
        return [path("<int:pk>/pull/", view, name="directory_ldapserver_pull"), *urls]

    def pull(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        server = get_object_or_404(self.get_queryset(request), pk=pk)
        pulling.request_pull(server)
        said = gettext("A pull of %(source)s begins within 15 seconds, as soon as a worker is free.")
        messages.success(request, said % {"source": server.source})
        return redirect("admin:directory_source_change", server.source_id)


def pulls_of(source: Source, *, may_pull: bool) -> dict[str, Any]:
    """What the panel of a source that can be pulled shows; nothing for another one."""
    server = LdapServer.objects.defer("password").filter(source=source).first()
    if server is None:
        return {}
    now = timezone.now()
    return {
        "server": server,
        "pulls": list(source.pulls.order_by("-pk")[:PULLS_SHOWN]),
        "is_pulled": bool(server.pulling_until and server.pulling_until > now),
        "may_pull": may_pull,
    }
