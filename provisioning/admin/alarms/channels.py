"""Channels: where alarms are told, which of them, and the button that tries it."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from cakewalk import links
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from cakewalk.signing_in.recently import ProvenChanges
from cakewalk.site import signed_in
from cakewalk.theme import (
    ModelAdmin,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldBooleanSwitchWidget,
    display,
)
from integrations.models import Integration
from provisioning.admin.alarms.deliveries import tell
from provisioning.admin.alarms.words import TONES, label
from provisioning.alarms import addresses, sending
from provisioning.alarms.models import Alarm, Channel, Delivery

Kind = Channel.Kind
DELIVERIES_SHOWN = 10
OF_KIND = {
    Kind.EMAIL: ("recipients",),
    Kind.WEBHOOK: ("new_address", "renew_secret"),
    Kind.SLACK: ("new_address",),
}


class ChannelForm(forms.ModelForm):  # type: ignore[type-arg]
    new_address = forms.CharField(
        max_length=2000,
        label=_("Address"),
        help_text=_("The address is stored encrypted and never shown."),
        widget=UnfoldAdminPasswordWidget({"autocomplete": "off", "spellcheck": "false"}),
    )
    renew_secret = forms.BooleanField(
        required=False,
        label=_("Make a new signing secret"),
        help_text=_("It is shown once, after saving. The former one signs nothing any more."),
        widget=UnfoldBooleanSwitchWidget(),
    )
    causes = forms.MultipleChoiceField(
        required=False,
        choices=Alarm.Cause.choices,
        label=_("Causes"),
        help_text=_("None: all of them, and those that later versions know."),
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )
    integrations = forms.ModelMultipleChoiceField(
        required=False,
        queryset=Integration.objects.order_by("name"),
        label=_("Integrations"),
        help_text=Channel._meta.get_field("integrations").help_text,
        widget=UnfoldAdminCheckboxSelectMultipleWidget(),
    )

    class Meta:
        model = Channel
        fields = ("name", "enabled", "recipients", "causes", "integrations", "remind_after_hours")
        widgets = {"recipients": UnfoldAdminTextareaWidget({"rows": 3, "spellcheck": "false"})}

    new_kind: Channel.Kind
    """What a channel that is being added is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance.pk:
            self.instance.kind = self.new_kind
        for name in ("new_address", "renew_secret"):
            if name not in OF_KIND[Kind(self.instance.kind)]:
                self.fields.pop(name, None)
        if self.instance.pk and "new_address" in self.fields:
            self.fields["new_address"].required = False
            self.fields["new_address"].help_text = _(
                "The address is stored encrypted and never shown. Empty: the stored one stays."
            )

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Channel.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError(gettext("There is already a channel named %(name)s.") % {"name": name})
        return name

    def clean_recipients(self) -> str:
        given: str = self.cleaned_data["recipients"]
        if self.instance.kind == Kind.EMAIL and not given.strip(" ,;\n"):
            raise ValidationError(gettext("Write whom to tell."))
        return given

    def clean_new_address(self) -> str:
        given: str = self.cleaned_data["new_address"].strip()
        if given and (refused := addresses.refuse(given, settings.WEBHOOK_ALLOWED_HOSTS)):
            raise ValidationError(gettext(refused))
        return given


@admin.register(Channel)
class ChannelAdmin(ProvenChanges, ModelAdmin):
    form = ChannelForm
    when_empty = _("Nobody is told of anything yet. Add an e-mail, a webhook or a chat.")
    list_display = ("name", "kind", "leads_to", "hears_of", "enabled", "last_message")
    list_filter = ("kind", "enabled")
    search_fields = ("name",)
    ordering = ("name",)
    actions = None
    change_form_outer_before_template = "alarms/channel_panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Channel]:
        last = Delivery.objects.filter(channel=OuterRef("pk")).order_by("-pk").values("state")[:1]
        channels = Channel.objects.without_secrets()
        return channels.prefetch_related("integrations").annotate(last_state=Subquery(last))

    # -- the list

    @display(description=_("Where"))
    def leads_to(self, channel: Channel) -> str:
        return channel.where or "-"

    @display(description=_("Hears of"))
    def hears_of(self, channel: Channel) -> str:
        causes = [str(Alarm.Cause(cause).label) for cause in channel.causes if cause in Alarm.Cause]
        of = ", ".join(sorted(row.name for row in channel.integrations.all()))
        told = ", ".join(causes) or gettext("Every cause")
        return f"{told} ({of})" if of else told

    @display(description=_("Last message"))
    def last_message(self, channel: Any) -> SafeString | str:
        if not channel.last_state:
            return "-"
        state = Delivery.State(channel.last_state)
        return label(TONES[state], state.label)

    # -- the form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        own = tuple(
            name for name in OF_KIND[_kind(request, obj)] if obj is not None or name != "renew_secret"
        )
        if obj is not None and not self.has_change_permission(request, obj):
            own = tuple(name for name in own if name == "recipients")
        hears = ("causes", "integrations", "remind_after_hours")
        return [(None, {"fields": ("name", "enabled", *own)}), (_("What it is told"), {"fields": hears})]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        return type("ChannelFormOfKind", (form,), {"new_kind": _kind(request, obj)})

    @method_decorator(sensitive_post_parameters("new_address"))
    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        extra = {**(extra_context or {}), "show_save_and_add_another": False}
        return super().changeform_view(request, object_id, form_url, extra)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        if _asked_kind(request) not in Kind.values:
            context = {
                **self.admin_site.each_context(request),
                "title": gettext("Add a channel"),
                "opts": self.opts,
                "kinds": Kind,
            }
            return TemplateResponse(request, "alarms/kinds.html", context)
        extra = {**(extra_context or {}), **_told(_kind(request, None))}
        return super().add_view(request, form_url, extra)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        channel = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if channel is not None and self.has_view_permission(request, channel):
            sent = channel.deliveries.defer("body").order_by("-pk")[:DELIVERIES_SHOWN]
            extra |= {"title": str(channel), "channel": channel, "deliveries": list(sent)}
            extra |= _told(channel.kind) | {"may_test": self.has_change_permission(request, channel)}
        return super().change_view(request, object_id, form_url, extra)

    def save_model(self, request: HttpRequest, obj: Channel, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        if typed.get("new_address"):
            obj.send_to(typed["new_address"])
        if obj.kind == Kind.WEBHOOK and (not change or typed.get("renew_secret")):
            form.made_secret = obj.renew_signing_secret()
            request.made_secret = form.made_secret  # type: ignore[attr-defined]  # for the answer
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Channel, post_url_continue: Any = None) -> HttpResponse:
        if not (shown := self._secret(request, obj)):
            messages.success(request, gettext("%(channel)s is added. Send a test.") % {"channel": obj})
        return shown or redirect("admin:alarms_channel_change", obj.pk)

    def response_change(self, request: HttpRequest, obj: Channel) -> HttpResponse:
        return self._secret(request, obj) or super().response_change(request, obj)

    def _secret(self, request: HttpRequest, channel: Channel) -> HttpResponse | None:
        """Answered with the secret itself instead of leading on: it is shown once, and then to nobody."""
        secret = getattr(request, "made_secret", "")
        context = {
            **self.admin_site.each_context(request),
            "title": gettext("The signing secret of %(channel)s") % {"channel": channel},
            "opts": self.opts,
            "channel": channel,
            "secret": secret,
        }
        return TemplateResponse(request, "alarms/secret.html", context) if secret else None

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Its messages go with it, and are not named one by one."""
        number = Delivery.objects.filter(channel__in=objs).count()
        lacking = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        return [*map(str, objs)], {Delivery._meta.verbose_name_plural: number}, lacking, []

    # -- trying it

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.test))
        urls: list[URLPattern] = super().get_urls()
        return [path("<int:pk>/test/", view, name="alarms_channel_test"), *urls]

    def test(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        channel = get_object_or_404(self.get_queryset(request), pk=pk)
        sent = sending.send_test(channel, by=signed_in(request), now=timezone.now())
        record(Verb.CHANNEL_TESTED, channel, facts={"state": sent.state, "answer": sent.answer})
        tell(request, sent)
        return redirect("admin:alarms_channel_change", pk)


def _asked_kind(request: HttpRequest) -> str:
    return request.POST.get("kind") or request.GET.get("kind", "")


def _kind(request: HttpRequest, channel: Channel | None) -> Channel.Kind:
    asked = channel.kind if channel else _asked_kind(request)
    return Kind(asked) if asked in Kind.values else Kind.WEBHOOK


def _told(kind: str) -> dict[str, Any]:
    """What the panel above the form says of a kind."""
    lacks_mail = kind == Kind.EMAIL and settings.EMAIL_BACKEND == sending.NOWHERE
    return {
        "kind": kind,
        "lacks_mail": lacks_mail,
        "sender": settings.DEFAULT_FROM_EMAIL,
        "begins": links.base(),
        "guessed": not settings.PUBLIC_URL,
    }
