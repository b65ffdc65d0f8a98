"""Jobs and their actions: browse, approve, cancel."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Count, QuerySet
from django.db.models.functions import Lower
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.views.decorators.http import require_POST

from cakewalk.site import signed_in
from cakewalk.templatetags.cakewalk import lasted, what
from cakewalk.theme import (
    BooleanRadioFilter,
    ChangeList,
    ChoicesDropdownFilter,
    DropdownFilter,
    InfinitePaginator,
    RelatedDropdownFilter,
    display,
)
from provisioning import history, recovering, requesting, wording
from provisioning.actions import Kind
from provisioning.admin.history import RecordAdmin, label
from provisioning.models import Action, ProvisioningJob

ACTIONS_PER_PAGE = 100
TAKINGS_SHOWN = 200
State, Trigger = ProvisioningJob.State, ProvisioningJob.Trigger

SAYS = {
    State.QUEUED: "It waits for a worker.",
    State.RUNNING: "It is at work.",
    State.AWAITING_APPROVAL: "What is held waits for an approver; what is not held has been done.",
    State.SUCCEEDED: "Everything that was to be done is done, and a fresh read has shown it.",
    State.PARTIAL: "A part of the plan was not done; the actions below say which and why.",
    State.REFUSED: "The plan was refused. Nothing was changed.",
    State.FAILED: "It went wrong.",
    State.INCONCLUSIVE: "The organization could not be proven to be read completely. Nothing was changed.",
    State.CANCELLED: "It was cancelled.",
}

TRIGGERS = {
    Trigger.MANUAL: "on demand",
    Trigger.SCHEDULE: "by the schedule",
    Trigger.DIRECTORY: "after a change in the directory",
    Trigger.FIRST: "after it was connected",
}

Tally = Mapping[str, int]


def group_of(state: str, kind: str, proposed: bool) -> str:
    """Under which heading an action is counted: its state, or apart as a report or a proposal."""
    if proposed:
        return "proposed"
    return "reported" if kind == Kind.REPORT else state


def tallies(jobs: Sequence[ProvisioningJob]) -> dict[int, Counter[str]]:
    """How many actions of each group every job has, in one query."""
    counted: dict[int, Counter[str]] = {job.pk: Counter() for job in jobs}
    rows = Action.objects.filter(job__in=jobs).values_list("job", "state", "kind", "proposed")
    for job, state, kind, proposed, number in rows.annotate(number=Count("pk")).order_by():
        counted[job][group_of(state, kind, proposed)] += number
    return counted


def planned(tally: Tally) -> int:
    """All writing actions of a plan, whatever became of them."""
    return sum(number for group, number in tally.items() if group not in ("reported", "proposed"))


class JobList(ChangeList):
    """The list with each row's counts, read for the whole page at once."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = list(self.result_list)
        counted = tallies(self.result_list)
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
        "planned",
        "done",
        "failed",
        "held",
        "reported",
    )
    list_display_links = ("job",)
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("integration", RelatedDropdownFilter),
        ("trigger", ChoicesDropdownFilter),
        ("preview", BooleanRadioFilter),
    )
    list_filter_submit = True
    list_select_related = ("integration", "requested_by")
    ordering = ("-pk",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[JobList]:
        return JobList

    @display(description="Job", ordering="pk")
    def job(self, job: ProvisioningJob) -> str:
        return str(job)

    @display(description="State", ordering="state")
    def state_label(self, job: ProvisioningJob) -> str:
        return label(job.state, job.get_state_display())

    @display(description="What", ordering="preview")
    def what(self, job: ProvisioningJob) -> str:
        return _unbroken(what(job))

    @display(description="Requested", ordering="requested_at")
    def requested(self, job: ProvisioningJob) -> str:
        at = _unbroken(date_format(localtime(job.requested_at), "DATETIME_FORMAT"))
        return format_html("<span>{} by {}</span>", at, job.requested_by) if job.requested_by else at

    @display(description="Took")
    def took(self, job: ProvisioningJob) -> str:
        return _unbroken(lasted(job.started_at, job.finished_at) or "-")

    @display(description="Planned")
    def planned(self, job: Any) -> int:
        return planned(job.tally)

    @display(description="Done")
    def done(self, job: Any) -> int:
        return int(job.tally["done"])

    @display(description="Failed")
    def failed(self, job: Any) -> int:
        return int(job.tally["failed"] + job.tally["refused"] + job.tally["stale"])

    @display(description="Held")
    def held(self, job: Any) -> int:
        return int(job.tally["held"])

    @display(description="Reported")
    def reported(self, job: Any) -> int:
        return int(job.tally["reported"])

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
            button("cancel", self.cancel),
            button("release", self.release),
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
        tally = tallies([job])[job.pk]
        shown = request.GET.get("show", "")
        rows = self._rows(job, shown)
        page = Paginator(rows, ACTIONS_PER_PAGE).get_page(request.GET.get("page"))
        context = {
            **self.admin_site.each_context(request),
            "title": str(job),
            "opts": self.opts,
            "original": job,
            "job": job,
            "live": job.state in ProvisioningJob.LIVE,
            "says": _says(job, tally),
            "tally": tally,
            "planned": planned(tally),
            "groups": _groups(tally),
            "shown": shown,
            "page": page,
            "lines": [_line(row) for row in page],
            "timeline": _timeline(job),
            "listings": job.read.get("listings", []),
            "holder": recovering.in_words(job.holder) if job.state == State.RUNNING else "",
            "expired": _expired(job),
            "expires_at": job.plan_expires_at() if job.state == State.AWAITING_APPROVAL else None,
            **self._decisions(request, job),
        }
        return TemplateResponse(request, "provisioning/job.html", context)

    def _rows(self, job: ProvisioningJob, shown: str) -> QuerySet[Action]:
        rows = job.actions.order_by("seq")
        if shown == "proposed":
            return rows.filter(proposed=True)
        if shown == "reported":
            return rows.filter(proposed=False, kind=Kind.REPORT)
        if shown in Action.State:
            return rows.filter(proposed=False, state=shown).exclude(kind=Kind.REPORT)
        return rows

    def _decisions(self, request: HttpRequest, job: ProvisioningJob) -> dict[str, Any]:
        """What the person who looks may decide about the job, and what they must see for it."""
        waits = job.state == State.AWAITING_APPROVAL
        holds = _holds(job)
        expired = _expired(job)
        abandoned = recovering.is_abandoned(job, now=timezone.now())
        shown = job.preview and job.state == State.SUCCEEDED
        held = job.actions.filter(state=Action.State.HELD).order_by("seq")
        return {
            "may_approve": waits and not expired and request.user.has_perm("provisioning.approve_job"),
            "may_cancel": (waits or job.state in ProvisioningJob.LIVE)
            and request.user.has_perm("provisioning.run_job"),
            "abandoned": abandoned,
            "may_release": abandoned and request.user.has_perm("provisioning.run_job"),
            "may_sync": (shown or expired)
            and job.integration.enabled
            and request.user.has_perm("provisioning.run_job"),
            "holds": holds,
            "to_override": [hold for hold in holds if not hold["override"]] if waits else [],
            "held_lines": [_line(row) for row in held[:TAKINGS_SHOWN]] if waits else [],
        }

    # -- decisions

    def approve(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._allowed(request, pk, "provisioning.approve_job")
        reason, digest = request.POST.get("reason", ""), request.POST.get("digest", "")
        chosen = request.POST.getlist("override")
        try:
            requesting.approve(job, by=signed_in(request), reason=reason, digest=digest, only=chosen)
        except requesting.Refused as refusal:
            messages.error(request, f"Not approved. {refusal}")
        else:
            self._tell_approved(request, job, chosen)
        return redirect("admin:provisioning_provisioningjob_change", job.pk)

    def _tell_approved(self, request: HttpRequest, job: ProvisioningJob, chosen: Sequence[str]) -> None:
        remaining = job.remaining_holds()
        if not remaining:
            messages.success(request, f"{job} is approved and queued; a worker carries it out.")
            return
        done, left = (
            ", ".join(wording.hold(code).lower() for code in codes)
            for codes in (chosen, [hold["code"] for hold in remaining])
        )
        messages.warning(
            request, f"Overridden: {done}. {job} still waits, with nothing of it applied, for: {left}."
        )

    def cancel(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._allowed(request, pk, "provisioning.run_job")
        try:
            done = requesting.cancel(job, by=signed_in(request), reason=request.POST.get("reason", ""))
        except requesting.Refused as refusal:
            messages.error(request, f"Not cancelled. {refusal}")
        else:
            messages.success(request, f"{job} is cancelled. {done}")
        return redirect("admin:provisioning_provisioningjob_change", job.pk)

    def release(self, request: HttpRequest, pk: int) -> HttpResponse:
        job = self._allowed(request, pk, "provisioning.run_job")
        worker = recovering.in_words(job.holder)
        try:
            requesting.release(job, by=signed_in(request), reason=request.POST.get("reason", ""))
        except requesting.Refused as refusal:
            messages.error(request, f"Not released. {refusal}")
        else:
            messages.success(request, f"{job} is taken from {worker} and queued again.")
        return redirect("admin:provisioning_provisioningjob_change", job.pk)

    def _allowed(self, request: HttpRequest, pk: int, permission: str) -> ProvisioningJob:
        if not request.user.has_perm(permission):
            raise PermissionDenied
        job: ProvisioningJob | None = self.get_queryset(request).filter(pk=pk).first()
        if job is None:
            raise Http404
        return job


def _holds(job: ProvisioningJob) -> list[dict[str, Any]]:
    """What holds the job: its sentence, how many actions it holds, and who has overridden it."""
    overrides = {override["code"]: override for override in job.overrides}
    numbers: Counter[str] = Counter()
    if job.state == State.AWAITING_APPROVAL:
        held = job.actions.filter(state=Action.State.HELD).order_by().values_list("holds")
        for codes, number in held.annotate(number=Count("pk")):
            numbers.update(dict.fromkeys(codes, number))
    return [
        {
            **hold,
            "name": wording.hold(hold["code"]),
            "number": numbers[hold["code"]],
            "override": overrides.get(hold["code"]),
        }
        for hold in job.holds
    ]


def _expired(job: ProvisioningJob) -> bool:
    """Whether its plan waited for an approver for too long, even if the clock has not seen it yet."""
    if job.state == State.CANCELLED:
        return (job.error or {}).get("code") == "expired"
    return job.state == State.AWAITING_APPROVAL and job.has_expired(now=timezone.now())


def _unbroken(text: str) -> SafeString:
    return format_html('<span class="cw-nowrap">{}</span>', text)


def _says(job: ProvisioningJob, tally: Tally) -> str:
    if _expired(job):
        return f"Its plan waited too long for an approver. {history.what_was_done(job)}"
    if job.state == State.CANCELLED:
        return f"{SAYS[State.CANCELLED]} {history.what_was_done(job)}"
    if job.preview and job.state == State.SUCCEEDED:
        return "This is a preview: nothing was changed."
    if job.state == State.SUCCEEDED and not planned(tally):
        return "There was nothing to do."
    if job.state == State.SUCCEEDED and not tally["done"]:
        return "Nothing was changed; the actions below say why."
    return SAYS[State(job.state)]


def _groups(tally: Tally) -> list[dict[str, Any]]:
    """The headings under which there is something to see, in the order in which staff ask for them."""
    names = {str(state): state.label for state in Action.State} | {
        "reported": "Reported",
        "proposed": "Only proposed",
    }
    first = ("held", "failed", "refused", "stale", "started")
    keys = sorted(tally, key=lambda key: (key not in first, list(names).index(key)))
    return [{"key": key, "name": names[key], "number": tally[key]} for key in keys]


def _line(row: Action) -> dict[str, Any]:
    group = group_of(row.state, row.kind, row.proposed)
    return {
        "row": row,
        "what": wording.what(row),
        "situation": wording.situation(row.situation),
        "why": wording.why(row.situation),
        "before": wording.picture(row.before),
        "after": wording.picture(row.after),
        "holds": [wording.hold(code) for code in row.holds],
        "group": group,
        "state": {"reported": "Reported", "proposed": "Proposed"}.get(group, row.get_state_display()),
    }


def _timeline(job: ProvisioningJob) -> list[dict[str, Any]]:
    by = f"by {job.requested_by}" if job.requested_by else TRIGGERS[Trigger(job.trigger)]
    approved = f"by {job.approved_by}: {job.approval_reason}"
    cancelled = f"{'by ' + str(job.cancelled_by) + ': ' if job.cancelled_by else ''}{job.cancel_reason}"
    ended = "Cancelled" if job.state == State.CANCELLED else "Finished"
    steps = [
        ("Requested", job.requested_at, by),
        ("Approved", job.approved_at, approved),
        ("Started", job.started_at, ""),
        ("Planned", job.planned_at, ""),
        ("Applying", job.applied_at, ""),
        ("Verified", job.verified_at, ""),
        (ended, job.finished_at, cancelled if job.state == State.CANCELLED else ""),
    ]
    steps += [
        (f"Released from {release['from']}", datetime.fromisoformat(release["at"]), _by(release))
        for release in job.releases
    ]
    steps += [
        (
            f"Overridden: {wording.hold(override['code']).lower()}",
            datetime.fromisoformat(override["at"]),
            _by(override),
        )
        for override in job.overrides
    ]
    happened = [{"name": name, "at": at, "note": note} for name, at, note in steps if at]
    return sorted(happened, key=lambda step: step["at"])


def _by(decision: Mapping[str, str]) -> str:
    return f"by {decision['by']}: {decision['reason']}"


class KindFilter(DropdownFilter):
    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(code), name) for code, name in wording.KINDS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Action]) -> QuerySet[Action]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


class SituationFilter(DropdownFilter):
    title = "situation"
    parameter_name = "situation"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(code), name) for code, name in wording.SITUATIONS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Action]) -> QuerySet[Action]:
        return queryset.filter(situation=self.value()) if self.value() else queryset


@admin.register(Action)
class ActionAdmin(RecordAdmin):
    when_empty = "What a job decides for one account is an action."
    list_display = ("who", "what", "state_label", "situation_name", "rule_name", "job_link", "when")
    list_filter = (
        KindFilter,
        ("state", ChoicesDropdownFilter),
        SituationFilter,
        ("job__integration", RelatedDropdownFilter),
    )
    list_filter_submit = True
    list_select_related = ("job__integration",)
    search_fields = ("email",)
    search_help_text = "An e-mail address, or how it begins"
    ordering = ("-pk",)
    # Counting a million rows for every page would cost more than the page itself.
    paginator = InfinitePaginator
    fields = (
        "job_link",
        "seq",
        "who",
        "what",
        "state_label",
        "situation_name",
        "rule_name",
        "detail",
        "before_text",
        "after_text",
        "problem",
        "held_for",
        "account_id",
        "request_id",
        "started_at",
        "finished_at",
        "confirmed_at",
    )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        action = self.get_object(request, object_id)
        called = {"subtitle": f"{wording.what(action)}: {self.who(action)}"} if action else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **called})

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Action], search_term: str
    ) -> tuple[QuerySet[Action], bool]:
        """By the index on the lower-case address."""
        if not search_term:
            return queryset, False
        wanted = search_term.strip().lower()
        lowered = queryset.alias(lowered=Lower("email"))
        return lowered.filter(lowered__startswith=wanted), False

    @display(description="Who", ordering="email")
    def who(self, action: Action) -> str:
        return action.email or action.account_id or "-"

    @display(description="What", ordering="kind")
    def what(self, action: Action) -> str:
        return wording.what(action)

    @display(description="State", ordering="state")
    def state_label(self, action: Action) -> str:
        line = _line(action)
        return label(line["group"], line["state"])

    @display(description="Situation", ordering="situation")
    def situation_name(self, action: Action) -> str:
        return wording.situation(action.situation)

    @display(description="Rule")
    def rule_name(self, action: Action) -> str:
        return action.rule or "-"

    @display(description="Job", ordering="job")
    def job_link(self, action: Action) -> str:
        url = reverse("admin:provisioning_provisioningjob_change", args=[action.job_id])
        return format_html(
            '<span><a class="cw-link" href="{}">{}</a> of {}</span>', url, action.job, action.job.integration
        )

    @display(description="Finished", ordering="finished_at")
    def when(self, action: Action) -> Any:
        return action.finished_at or "-"

    @display(description="Before")
    def before_text(self, action: Action) -> str:
        return wording.picture(action.before) or "-"

    @display(description="After")
    def after_text(self, action: Action) -> str:
        return wording.picture(action.after) or "-"

    @display(description="What went wrong")
    def problem(self, action: Action) -> str:
        return f"{action.error['detail']} ({action.error['code']})" if action.error else "-"

    @display(description="Held for")
    def held_for(self, action: Action) -> str:
        return ", ".join(wording.hold(code) for code in action.holds) or "-"
