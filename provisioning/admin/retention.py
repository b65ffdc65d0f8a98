"""For how long each kind of history is kept, how much there is of it, and what went."""

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cakewalk import charts
from cakewalk.charts import Chart, Series
from cakewalk.templatetags.cakewalk import age
from cakewalk.theme import ChangeList, ModelAdmin, UnfoldAdminRadioSelectWidget, display
from provisioning.retention import counting
from provisioning.retention.kinds import KINDS
from provisioning.retention.models import Archive, Retention

ARCHIVES_SHOWN = 10


class RetentionForm(forms.ModelForm):  # type: ignore[type-arg]
    """Asks for more than a number, so that a field left empty by mistake is not for ever."""

    EVER, DAYS = "ever", "days"
    may_shorten = False

    how_long = forms.ChoiceField(
        label=gettext_lazy("How long it is kept"),
        choices=[(EVER, gettext_lazy("For ever")), (DAYS, gettext_lazy("For a number of days"))],
        widget=UnfoldAdminRadioSelectWidget(),
    )

    class Meta:
        model = Retention
        fields = ("how_long", "days", "reason")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["how_long"] = self.EVER if self.instance.days is None else self.DAYS

    def clean(self) -> None:
        super().clean()
        typed = self.cleaned_data
        if typed.get("how_long") == self.EVER:
            typed["days"] = None
        elif typed.get("days") is None and "days" not in self.errors:
            self.add_error("days", _("Say for how many days."))
        wanted = Retention(kind=self.instance.kind, days=typed.get("days"))
        if self.has_changed() and wanted.is_shortened() and not self.may_shorten:
            raise ValidationError(
                _(
                    "To keep evidence for less than 400 days takes a permission of its own, which no "
                    "role has by itself."
                )
            )


class RetentionList(ChangeList):
    """Each kind with what there is of it."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        order, now = list(KINDS), timezone.now()
        self.result_list = sorted(self.result_list, key=lambda row: order.index(row.kind))
        found = counting.holdings([(row.of, row.days) for row in self.result_list], now=now)
        for row in self.result_list:
            row.holding = found[row.kind]


@admin.register(Retention)
class RetentionAdmin(ModelAdmin):
    form = RetentionForm
    list_display = ("what", "kept", "rows", "begins", "would_go")
    list_before_template = "provisioning/retention.html"
    change_form_outer_before_template = "provisioning/retention_of.html"
    ordering = ("pk",)
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RetentionList]:
        return RetentionList

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.may_shorten = request.user.has_perm("retention.shorten")
        return form

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return super().changelist_view(request, {**(extra_context or {}), **_what_went()})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        extra = {**(extra_context or {}), "show_save_and_add_another": False}
        row = Retention.objects.filter(pk=object_id).first() if object_id.isdecimal() else None
        if row and self.has_view_permission(request):
            now = timezone.now()
            extra |= {"retention": row, "ages": _ages(row, now)}
            extra |= {"holding": counting.holding(row.of, row.days, now=now)}
        return super().change_view(request, object_id, form_url, extra)

    @display(description=gettext_lazy("What"))
    def what(self, row: Retention) -> SafeString:
        return format_html("{}", row.of.label)

    @display(description=gettext_lazy("Kept"), ordering="days")
    def kept(self, row: Retention) -> str:
        if row.days is None:
            return _("For ever")
        said = ngettext("%(number)s day", "%(number)s days", row.days)
        return said % {"number": number_format(row.days, use_l10n=True)}

    @display(description=gettext_lazy("There are"))
    def rows(self, row: Any) -> str:
        return str(number_format(row.holding.rows, use_l10n=True, force_grouping=True))

    @display(description=gettext_lazy("The oldest"))
    def begins(self, row: Any) -> str:
        return age(row.holding.begins) if row.holding.begins else "-"

    @display(description=gettext_lazy("Old enough to go"))
    def would_go(self, row: Any) -> str:
        old = row.holding.old
        return "-" if old is None else str(number_format(old, use_l10n=True, force_grouping=True))


def _what_went() -> dict[str, Any]:
    archives = list(Archive.objects.order_by("-pk")[:ARCHIVES_SHOWN])
    return {
        "archives": archives,
        "folder": settings.RETENTION_FOLDER,
        "last": next((one for one in archives if one.state == Archive.State.DONE), None),
        "trouble": archives[0] if archives and archives[0].note else None,
        "labels": {key: kind.label for key, kind in KINDS.items()},
    }


def _ages(row: Retention, now: datetime) -> Chart:
    names = [_("to %(days)d") % {"days": days} for days in counting.AGES]
    names.append(_("older"))
    counted = counting.by_age(row.of, now=now)
    series = Series(str(row.of.label), "info", counted)
    return charts.bars("ages", _("How old they are, in days"), _("Days"), names, [series])
