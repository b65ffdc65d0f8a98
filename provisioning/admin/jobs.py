"""Jobs: browse, approve, reject, cancel, release, restore, run again, export."""

from collections.abc import Sequence
from datetime import date
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from cakewalk.asking import ask_for_job
from cakewalk.exporting import record_export
from cakewalk.signing_in.recently import proven
from cakewalk.site import signed_in
from cakewalk.templatetags.cakewalk import lasted, what
from cakewalk.theme import (
    BooleanRadioFilter,
    ChangeList,
    ChoicesDropdownFilter,
    RangeDateTimeFilter,
    RelatedDropdownFilter,
    display,
)
from integrations import permitting
from provisioning import recovering, requesting, wording
from provisioning.admin import exporting, job_page, job_plan
from provisioning.admin.history import RecordAdmin, label
from provisioning.models import ProvisioningJob


class JobList(ChangeList):
    """The list with each row's counts, read for the whole page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        counted = job_page.tallies(self.result_list)
        for row in self.result_list:
            row.tally = counted[row.pk]


@admin.register(ProvisioningJob)
class ProvisioningJobAdmin(RecordAdmin):
    when_empty = "Every sync and every preview of an integration is a job."
    list_display = (
        "job",
        "integration",
        "state_label",
        "what",
        "requested",
        "took",
        "counts",
    )
    list_display_links = ("job",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("integration", RelatedDropdownFilter),
        ("scope", ChoicesDropdownFilter),
        ("trigger", ChoicesDropdownFilter),
        ("preview", BooleanRadioFilter),
        ("requested_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("integration", "requested_by")
    ordering = ("-pk",)

    class Media:
        css: ClassVar = {"all": ["cakewalk/job.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[JobList]:
        return JobList

    @display(description=gettext_lazy("Job"), ordering="pk")
    def job(self, job: ProvisioningJob) -> str:
        return str(job)

    @display(description=gettext_lazy("State"), ordering="state")
    def state_label(self, job: ProvisioningJob) -> str:
        return (
            label("refused", _("Rejected")) if job.rejected_at else label(job.state, job.get_state_display())
        )

    @display(description=gettext_lazy("What"), ordering="preview")
    def what(self, job: ProvisioningJob) -> str:
        return _unbroken(what(job))

    @display(description=gettext_lazy("Requested"), ordering="requested_at")
    def requested(self, job: ProvisioningJob) -> str:
        at = _unbroken(date_format(localtime(job.requested_at), "DATETIME_FORMAT"))
        if not job.requested_by:
            return at
        said = _("%(age)s by %(by)s") % {"age": "{}", "by": "{}"}
        return format_html(f"<span>{said}</span>", at, job.requested_by)

    @display(description=gettext_lazy("Took"))
    def took(self, job: ProvisioningJob) -> str:
        return _unbroken(lasted(job.started_at, job.finished_at) or "-")

    @display(description=gettext_lazy("Plan"))
    def counts(self, job: Any) -> str:
        """What became of its lines, what needs somebody first."""
        told = [label(one["key"], f"{one['name']} {one['number']}") for one in job_page.outcomes(job.tally)]
        if not told:
            return _("Nothing to do") if job.planned_at else "-"
        return format_html(
            '<span class="cw-labels cw-counts">{}</span>',
            format_html_join(" ", "{}", ((one,) for one in told)),
        )

    # -- one job

    def get_urls(self) -> list[URLPattern]:
        def button(name: str, view: Any) -> Any:
            return path(
                f"<int:pk>/{name}/",
                self.admin_site.admin_view(require_POST(view)),
                name=f"provisioning_provisioningjob_{name}",
            )

        return [
            button("approve", self.approve),
            button("reject", self.reject),
            button("cancel", self.cancel),
            button("again", self.again),
            button("release", self.release),
            button("restore", self.restore),
            path(
                "<int:pk>/export/",
                self.admin_site.admin_view(self.export),
                name="provisioning_provisioningjob_export",
            ),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        job = self.get_object(request, object_id)
        if job is None:
            raise Http404
        alike, may = job_plan.counted(job), permitting.on(job.integration, request.user)
        context = {
            **self.admin_site.each_context(request),
            "title": str(job),
            "opts": self.opts,
            "original": job,
            "permalink": request.build_absolute_uri(reverse("job", args=[job.public_id])),
            **job_page.what_it_shows(
                job,
                alike,
                may,
                shown=request.GET.get("show", ""),
                situation=request.GET.get("situation", ""),
                page_number=request.GET.get("page"),
            ),
            **job_page.what_may_be_decided(job, alike, may, signed_in(request)),
        }
        return TemplateResponse(request, "provisioning/job.html", context)

    def export(self, request: HttpRequest, pk: int) -> StreamingHttpResponse:
        """The lines of its plan, as the page is filtered."""
        job = self._allowed(request, pk, "provisioning.view_action")
        rows = job_plan.of_outcome(job.actions.order_by("seq"), request.GET.get("show", ""))
        if situation := request.GET.get("situation", ""):
            rows = job_plan.under_heading(rows, situation)
        record_export(rows, request, of=job)
        return exporting.actions_table(job, rows)

    # -- decisions

    @proven
    def approve(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._allowed(request, pk, "provisioning.approve_job")
        reason, digest = request.POST.get("reason", ""), request.POST.get("digest", "")
        chosen = request.POST.getlist("override")
        try:
            requesting.approve(job, by=signed_in(request), reason=reason, digest=digest, only=chosen)
        except requesting.Refused as refusal:
            messages.error(request, _("Not approved. %(why)s") % {"why": refusal})
        else:
            self._tell_approved(request, job, chosen)
        return redirect("admin:provisioning_provisioningjob_change", job.pk)

    def _tell_approved(self, request: HttpRequest, job: ProvisioningJob, chosen: Sequence[str]) -> None:
        remaining = job.remaining_holds()
        if not remaining:
            said = _("%(job)s is approved and queued; a worker carries it out.")
            messages.success(request, said % {"job": job})
            return
        done, left = (
            ", ".join(wording.hold(code).lower() for code in codes)
            for codes in (chosen, [hold["code"] for hold in remaining])
        )
        said = _("Overridden: %(done)s. %(job)s still waits, with nothing of it applied, for: %(left)s.")
        messages.warning(request, said % {"done": done, "job": job, "left": left})

    @proven
    def reject(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._allowed(request, pk, "provisioning.approve_job")
        try:
            done = requesting.reject(
                job,
                by=signed_in(request),
                reason=request.POST.get("reason", ""),
                keep_until=_keep_until(request),
            )
        except ValidationError:
            messages.error(request, _("Not rejected. The last day must be a date, such as 2026-12-31."))
        except requesting.Refused as refusal:
            messages.error(request, _("Not rejected. %(why)s") % {"why": refusal})
        else:
            messages.success(request, _("%(job)s is rejected. %(done)s") % {"job": job, "done": done})
        return redirect("admin:provisioning_provisioningjob_change", job.pk)

    def again(self, request: HttpRequest, pk: int) -> HttpResponse:
        """About the same people, and a preview again if it was one."""
        job = self._allowed(request, pk, "provisioning.run_job")
        if not job.follows_rules:
            said = _(
                "A restore is asked for on the page of the job that took, a review's job on the review's."
            )
            messages.error(request, said)
            return redirect("admin:provisioning_provisioningjob_change", job.pk)
        people = list(job.people.all())
        asked = ask_for_job(request, job.integration, preview=job.preview, people=people)
        return redirect("admin:provisioning_provisioningjob_change", (asked or job).pk)

    def cancel(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._allowed(request, pk, "provisioning.run_job")
        try:
            done = requesting.cancel(job, by=signed_in(request), reason=request.POST.get("reason", ""))
        except requesting.Refused as refusal:
            messages.error(request, _("Not cancelled. %(why)s") % {"why": refusal})
        else:
            messages.success(request, _("%(job)s is cancelled. %(done)s") % {"job": job, "done": done})
        return redirect("admin:provisioning_provisioningjob_change", job.pk)

    def release(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._allowed(request, pk, "provisioning.run_job")
        worker = recovering.in_words(job.holder)
        try:
            requesting.release(job, by=signed_in(request), reason=request.POST.get("reason", ""))
        except requesting.Refused as refusal:
            messages.error(request, _("Not released. %(why)s") % {"why": refusal})
        else:
            said = _("%(job)s is taken from %(worker)s and queued again.")
            messages.success(request, said % {"job": job, "worker": worker})
        return redirect("admin:provisioning_provisioningjob_change", job.pk)

    @proven
    def restore(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._allowed(request, pk, "provisioning.run_job")
        shown = job
        try:
            shown = requesting.request_restore(
                job,
                by=signed_in(request),
                reason=request.POST.get("reason", ""),
                keep_until=_keep_until(request),
            )
        except ValidationError:
            messages.error(request, _("Not restored. The last day must be a date, such as 2026-12-31."))
        except requesting.Refused as refusal:
            messages.error(request, _("Not restored. %(why)s") % {"why": refusal})
        else:
            said = _("%(shown)s plans what gives back what %(job)s took. An approver must approve it.")
            messages.success(request, said % {"shown": shown, "job": job})
        return redirect("admin:provisioning_provisioningjob_change", shown.pk)

    def _allowed(self, request: HttpRequest, pk: int, permission: str) -> ProvisioningJob:
        job = get_object_or_404(ProvisioningJob.objects.select_related("integration"), pk=pk)
        if not request.user.has_perm(permission, job):
            raise PermissionDenied
        return job


def _keep_until(request: HttpRequest) -> date | None:
    """The last day that was typed, if one was. Raises ValidationError where it is no date."""
    day: date | None = forms.DateField(required=False).clean(request.POST.get("keep_until"))
    return day


def _unbroken(text: str) -> SafeString:
    return format_html('<span class="cw-nowrap">{}</span>', text)
