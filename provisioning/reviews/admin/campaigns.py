"""Access reviews for those who run them, and for auditors: a draft's form, and the page of all others."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.signing_in.recently import proven
from cakewalk.site import signed_in
from cakewalk.theme import ChoicesDropdownFilter, ModelAdmin, RelatedDropdownFilter, TabularInline, display
from directory.time_zones import today
from integrations import permitting
from integrations.models import Integration
from provisioning.requesting import Refused
from provisioning.reviews import running
from provisioning.reviews.admin import campaign_page
from provisioning.reviews.models import Assignment, Campaign, Item

TONES = {
    Campaign.State.OPEN: "info",
    Campaign.State.FINISHED: "success",
    **dict.fromkeys(map(Campaign.State, Campaign.UNDER_WAY), "info"),
}


class CampaignForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Campaign
        fields = ("name", "integration", "scope", "default_reviewer", "due_on", "remind_days")

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        name, integration, due_on = typed.get("name"), typed.get("integration"), typed.get("due_on")
        if due_on and due_on < today():
            self.add_error("due_on", gettext("This day is over."))
        if name and integration:
            others = Campaign.objects.filter(integration=integration, name__iexact=name)
            if others.exclude(pk=self.instance.pk).exists():
                said = gettext("%(integration)s already has a review named %(name)s.")
                self.add_error("name", said % {"integration": integration, "name": name})
        return typed


class LineForm(forms.ModelForm):  # type: ignore[type-arg]
    """One line of a table, in which the head of a column names its fields for the eye only."""

    class Meta:
        model = Assignment
        fields = ("group", "entitlement", "reviewer")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget.attrs["aria-label"] = str(field.label)

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        if bool(typed.get("group")) == bool(typed.get("entitlement")):
            raise forms.ValidationError(
                gettext("Name one of the two: a directory group, or a project or group.")
            )
        return typed


class LineFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """Judges the lines together with the review that they are entered with."""

    def clean(self) -> None:
        super().clean()
        typed = [form.cleaned_data for form in self.forms if form.is_valid() and form.cleaned_data]
        kept = [line for line in typed if not line.get("DELETE")]
        for line in kept:
            held = line.get("entitlement")
            if held and held.integration_id != self.instance.integration_id:
                said = gettext("%(name)s is not of this integration.")
                raise forms.ValidationError(said % {"name": held})
        self._check_scope(kept)

    def _check_scope(self, lines: list[dict[str, Any]]) -> None:
        needed = {
            Campaign.Scope.GROUPS: ("group", gettext("Name at least one directory group.")),
            Campaign.Scope.ENTITLEMENTS: ("entitlement", gettext("Name at least one project or group.")),
        }
        field, said = needed.get(Campaign.Scope(self.instance.scope), ("", ""))
        if field and not any(line.get(field) for line in lines):
            raise forms.ValidationError(said)


class AssignmentInline(TabularInline):
    model = Assignment
    form = LineForm
    formset = LineFormSet
    extra = 0
    autocomplete_fields = ("group", "entitlement")
    verbose_name = _("line")
    verbose_name_plural = _("Who reviews what")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, "reviews.view_campaign", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, RUN, obj)

    has_change_permission = has_delete_permission = has_add_permission

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "reviewer":
            kwargs |= _chosen_among_reviewers(db_field)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return _without_windows(super().formfield_for_dbfield(db_field, request, **kwargs))


def _may(request: HttpRequest, permission: str, campaign: Campaign | None) -> bool:
    """While it is being written it is of no integration yet."""
    if campaign is None or not campaign.integration_id:
        return permitting.anywhere(request.user, permission)
    return request.user.has_perm(permission, campaign)


WHO_IS_LISTED = _("Listed are users with the role Reviewer and an e-mail address.")


def _chosen_among_reviewers(db_field: Any) -> dict[str, Any]:
    listed = User.objects.filter(pk__in=running.possible_reviewers()).order_by("username")
    return {"queryset": listed, "help_text": f"{db_field.help_text} {WHO_IS_LISTED}"}


def _without_windows(field: Any) -> Any:
    """To add or change what a field names is no matter of a small window."""
    for deed in ("add", "change", "delete", "view"):
        if field is not None and hasattr(field.widget, f"can_{deed}_related"):
            setattr(field.widget, f"can_{deed}_related", False)
    return field


RUN = "reviews.change_campaign"
COUNTS = "counts"
"""Asks what a draft would list: the `page` with it, or that `part` alone."""
UNDER_WAY = "under-way"
"""What of the page asks again and again whether a worker is still at it."""


@admin.register(Campaign)
class CampaignAdmin(ModelAdmin):
    form = CampaignForm
    inlines = (AssignmentInline,)
    when_empty = _("A review asks people whether others still need what they have.")
    list_display = ("name", "integration", "standing", "due_on", "decided", "revoked")
    list_filter = (("state", ChoicesDropdownFilter), ("integration", RelatedDropdownFilter))
    list_filter_submit = True
    list_select_related = ("integration",)
    list_per_page = 50
    show_full_result_count = False
    search_fields = ("name",)
    ordering = ("-pk",)
    actions = None
    change_form_outer_before_template = "reviews/draft_panel.html"

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Lines are counted for the list alone."""
        found = super().get_changelist_instance(request)
        numbers = _numbers([campaign.pk for campaign in found.result_list])
        for campaign in found.result_list:
            campaign.numbers = numbers[campaign.pk]
        return found

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was opened stays as it was."""
        allowed: bool = super().has_change_permission(request, obj)
        return allowed and (obj is None or obj.is_draft)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "default_reviewer":
            kwargs |= _chosen_among_reviewers(db_field)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return _without_windows(super().formfield_for_dbfield(db_field, request, **kwargs))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Where there is one integration, it is that."""
        theirs = permitting.of_those_permitted(Integration.objects.all(), request.user, RUN)
        only = list(theirs.values_list("pk", flat=True)[:2])
        given = super().get_changeform_initial_data(request)
        return {**({"integration": only[0]} if len(only) == 1 else {}), **given}

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.made_by = obj.made_by or request.user
        super().save_model(request, obj, form, change)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: Any = None) -> HttpResponse:
        """To its own page: it shows how much each reviewer would get, before anybody is asked."""
        messages.success(request, gettext("%(review)s is a draft. Nobody is asked yet.") % {"review": obj})
        return redirect("admin:reviews_campaign_change", obj.pk)

    response_change = response_add

    @display(description=_("State"), ordering="state")
    def standing(self, campaign: Campaign) -> SafeString:
        overdue = campaign.is_open and campaign.due_on < today()
        tone = "danger" if overdue else TONES.get(Campaign.State(campaign.state), "")
        name = gettext("Overdue") if overdue else campaign.get_state_display()
        return format_html('<span class="cw-label cw-label--{}">{}</span>', tone, name)

    @display(description=_("Decided"))
    def decided(self, campaign: Any) -> str:
        if campaign.state in Campaign.NOT_ASKED_YET:
            return "-"
        said = gettext("%(decided)d of %(all)d")
        return said % {"decided": campaign.numbers["decided"], "all": campaign.numbers["all"]}

    @display(description=pgettext_lazy("access", "Revoked"))
    def revoked(self, campaign: Any) -> str:
        return "-" if campaign.state in Campaign.NOT_ASKED_YET else str(campaign.numbers["revoke"])

    # -- one review

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        campaign = self.get_object(request, object_id)
        if campaign is None or not self.has_view_permission(request, campaign):
            return super().change_view(request, object_id, form_url, extra_context)
        if request.headers.get("HX-Target") == UNDER_WAY and not campaign.is_under_way:
            return HttpResponse(headers={"HX-Refresh": "true"})  # to what the review is now
        if campaign.is_draft:
            extra = {"campaign": campaign, **self._if_opened(request, campaign)}
            if request.GET.get(COUNTS) == "part":
                return render(request, "reviews/draft.html", extra)
            return super().change_view(request, object_id, form_url, {**(extra_context or {}), **extra})
        if request.method == "POST":
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": str(campaign),
            "opts": self.opts,
            "original": campaign,
        }
        if campaign.is_under_way:
            context |= campaign_page.how_far_it_is(campaign, request)
            return TemplateResponse(request, "reviews/under_way.html", context)
        context |= campaign_page.what_it_shows(campaign, request)
        return TemplateResponse(request, "reviews/campaign.html", context)

    def _if_opened(self, request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
        """What would be listed is counted when it is asked for, by the page's script or by a link."""
        if COUNTS not in request.GET:
            return {}
        may_open = self.has_change_permission(request, campaign)
        return {"counted": True, "may_open": may_open, **campaign_page.draft(campaign, now=timezone.now())}

    def get_urls(self) -> list[URLPattern]:
        def at(name: str, view: Callable[..., HttpResponseBase]) -> URLPattern:
            return path(
                f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"reviews_campaign_{name}"
            )

        pressed = ("open", "finish", "cancel", "carry_out", "hand_over", "stop")
        buttons = [at(name, require_POST(getattr(self, f"press_{name}"))) for name in pressed]
        exports = [at("export_csv", self.export_csv), at("export_json", self.export_json)]
        return [*buttons, *exports, *super().get_urls()]

    def _decide(
        self, request: HttpRequest, pk: int, deed: Callable[[Campaign], object], said: Any
    ) -> HttpResponse:
        campaign = get_object_or_404(
            Campaign.objects.select_related("integration", "default_reviewer"), pk=pk
        )
        if not request.user.has_perm(RUN, campaign):
            raise PermissionDenied
        try:
            deed(campaign)
        except Refused as refusal:
            messages.error(request, gettext("Nothing was changed. %(why)s") % {"why": refusal})
        else:
            messages.success(request, said % {"review": campaign})
        return redirect("admin:reviews_campaign_change", pk)

    def press_open(self, request: HttpRequest, pk: int) -> HttpResponse:
        said = _("%(review)s is being opened. Then its reviewers are asked.")
        return self._decide(request, pk, lambda one: running.open_review(one, by=signed_in(request)), said)

    def press_finish(self, request: HttpRequest, pk: int) -> HttpResponse:
        reason = request.POST.get("reason", "")
        said = _(
            "%(review)s is being finished. What was revoked waits for its job, and that for an approver."
        )
        return self._decide(
            request, pk, lambda one: running.finish(one, by=signed_in(request), reason=reason), said
        )

    def press_cancel(self, request: HttpRequest, pk: int) -> HttpResponse:
        reason = request.POST.get("reason", "")
        said = _("%(review)s is being cancelled. Nothing of it is carried out.")
        return self._decide(
            request, pk, lambda one: running.cancel(one, by=signed_in(request), reason=reason), said
        )

    def press_stop(self, request: HttpRequest, pk: int) -> HttpResponse:
        said = _("It is stopped: %(review)s is as it was before.")
        return self._decide(request, pk, lambda one: running.stop(one, by=signed_in(request)), said)

    @proven
    def press_carry_out(self, request: HttpRequest, pk: int) -> HttpResponse:
        said = _("A job for what %(review)s revoked is asked for.")
        return self._decide(request, pk, lambda one: running.carry_out(one, by=signed_in(request)), said)

    def press_hand_over(self, request: HttpRequest, pk: int) -> HttpResponse:
        def hand_over(campaign: Campaign) -> None:
            of, to = (_user(request.POST.get(name, "")) for name in ("of", "to"))
            running.hand_over(campaign, of=of, to=to, by=signed_in(request))

        said = _("Lines of %(review)s are being handed over.")
        return self._decide(request, pk, hand_over, said)

    # -- exports

    def export_csv(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        return campaign_page.as_csv(self._exported(request, pk, "csv"))

    def export_json(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        return campaign_page.as_json(self._exported(request, pk, "json"))

    def _exported(self, request: HttpRequest, pk: int, kind: str) -> Campaign:
        staff = ("default_reviewer", "opened_by", "closed_by", "integration")
        campaign = get_object_or_404(Campaign.objects.select_related(*staff), pk=pk)
        if not request.user.has_perm("reviews.view_campaign", campaign):
            raise PermissionDenied
        with together():
            record(Verb.EXPORTED, campaign, facts={"format": kind, "lines": campaign.items.count()})
        return campaign


def _numbers(campaigns: Iterable[int]) -> dict[int, Counter[str]]:
    """How many lines of each are decided, and revoked."""
    rows = Item.objects.filter(campaign__in=campaigns).order_by().values_list("campaign", "decision")
    found: dict[int, Counter[str]] = defaultdict(Counter)
    for pk, decision, number in rows.annotate(Count("pk")):
        found[pk] += Counter({"all": number, "decided": number * bool(decision), decision: number})
    return found


def _user(typed: str) -> User:
    found = User.objects.filter(pk=typed).first() if re.fullmatch(r"[0-9]{1,9}", typed) else None
    if found is None:
        raise Refused(gettext("Name both reviewers."))
    return found
