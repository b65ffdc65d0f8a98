"""The page on which the history is searched: its form, what is found, whom it means, and kept questions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Self
from urllib.parse import urlencode

from django import forms
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cakewalk.models import User
from cakewalk.templatetags.cakewalk import moment
from cakewalk.theme import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget
from directory.models import FormerEmail, Person, PersonEmail
from integrations import permitting
from integrations.models import Integration
from provisioning import wording
from provisioning.admin import job_plan
from provisioning.models import Action, ProvisioningJob
from provisioning.search import finding
from provisioning.search.finding import Place
from provisioning.search.holding import held_after
from provisioning.search.mentions import HELD, RULES
from provisioning.search.models import Name
from provisioning.search.question import CHANGES, MARK, Question
from provisioning.search.whom import Whom

PER_PAGE = 50
MOST_COUNTED = 1000
"""More than so many are not counted: it would take as long as reading them."""
MOST_OFFERED = 300
"""Names that a field proposes while one types."""

PARTS = {
    "requested": gettext_lazy("Asked for it"),
    "approved": gettext_lazy("Approved it"),
    "rejected": gettext_lazy("Rejected it"),
    "cancelled": gettext_lazy("Cancelled it"),
}
SEE = "provisioning.view_action"
ANY = ("", gettext_lazy("Any"))


def any_of(choices: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return [ANY, *choices]


def text(label: Any, offered: str = "", **more: Any) -> forms.CharField:
    """`offered`: the list of what it proposes while one types."""
    attrs = {"autocomplete": "off", **({"list": offered} if offered else {})}
    widget = UnfoldAdminTextInputWidget(attrs=attrs)
    return forms.CharField(label=label, required=False, max_length=320, widget=widget, **more)


def choice(label: Any, choices: Any, **more: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, required=False, choices=choices, widget=UnfoldAdminSelectWidget(), **more
    )


def _day(label: Any) -> forms.DateField:
    widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    return forms.DateField(label=label, required=False, input_formats=["%Y-%m-%d"], widget=widget)


def _kinds() -> list[tuple[str, Any]]:
    return [ANY, (CHANGES, _("Every change (no reports)")), *wording.KINDS.items()]


def _outcomes() -> list[tuple[str, Any]]:
    return [ANY, *Action.State.choices, ("reported", _("Reported")), (job_plan.PROPOSED, _("Proposed"))]


def _actors() -> list[tuple[str, Any]]:
    triggers = [
        (f"{MARK}{code}", name)
        for code, name in ProvisioningJob.Trigger.choices
        if code != ProvisioningJob.Trigger.MANUAL
    ]
    staff = User.objects.order_by("username").values_list("username", flat=True)
    return [ANY, (_("By itself"), triggers), (_("People"), [(name, name) for name in staff])]


class PeriodForm(forms.Form):
    """Of two days, where the viewer is."""

    since = _day(gettext_lazy("From"))
    until = _day(gettext_lazy("Up to and including"))

    def clean(self) -> dict[str, Any]:
        typed = super().clean() or {}
        since, until = typed.get("since"), typed.get("until")
        if since and until and until < since:
            self.add_error("until", _("This day is before the first one."))
        return typed

    def period(self) -> tuple[datetime | None, datetime | None]:
        typed = self.cleaned_data
        return _begin_of(typed["since"]), _begin_of(typed["until"], days=1)

    def show_to(self, user: User, permission: str) -> Self:
        """Of the integrations, those where they may see what is asked for."""
        seen = permitting.of_those_permitted(Integration.objects.order_by("name"), user, permission)
        known = seen.values_list("pk", "name")
        self.fields["integration"].choices = any_of(  # type: ignore[attr-defined]  # it has some
            (str(pk), name) for pk, name in known
        )
        return self

    def asked(self) -> dict[str, Any]:
        """As it was typed, without what is not asked."""
        return {name: self[name].value() for name in self.fields if self[name].value()}

    def query(self) -> str:
        return urlencode(self.asked())


class QuestionForm(PeriodForm):
    """Filled in from the address, so that a link is the question."""

    who = text(
        gettext_lazy("Who"),
        help_text=gettext_lazy("An e-mail address, also a former one; a name; or the id of an account"),
    )
    person = forms.IntegerField(required=False, widget=forms.HiddenInput, min_value=1)
    kind = choice(gettext_lazy("What was done"), _kinds)
    rule = text(gettext_lazy("Access rule"), "rules-known", help_text=gettext_lazy("As it was called then"))
    held = text(
        gettext_lazy("Project or group"), "held-known", help_text=gettext_lazy("As it was called then")
    )
    state = choice(gettext_lazy("Outcome"), _outcomes)
    situation = choice(gettext_lazy("Situation"), lambda: [ANY, *wording.SITUATIONS.items()])
    by = choice(gettext_lazy("Decided by"), _actors)
    part = choice(gettext_lazy("Their part"), [ANY, *PARTS.items()])
    integration = choice(gettext_lazy("Integration"), [ANY])  # see show_to
    previews = choice(gettext_lazy("Jobs"), [("", gettext_lazy("Syncs")), ("yes", gettext_lazy("Previews"))])

    field_order = ("who", "since", "until")

    def question(self) -> Question:
        typed = self.cleaned_data
        since, until = self.period()
        return Question(
            who=typed["who"],
            person=typed["person"],
            rule=typed["rule"],
            held=typed["held"],
            kind=typed["kind"],
            state=typed["state"],
            situation=typed["situation"],
            since=since,
            until=until,
            by=typed["by"],
            part=typed["part"],
            integration=int(typed["integration"]) if typed["integration"] else None,
            previews=typed["previews"] == "yes",
        )


def _begin_of(day: date | None, *, days: int = 0) -> datetime | None:
    """Where the viewer is."""
    try:
        return timezone.make_aware(datetime.combine(day, time()) + timedelta(days=days)) if day else None
    except OverflowError:
        return None


def what_it_shows(form: QuestionForm, user: User, after: str) -> dict[str, Any]:
    """`after`: the last action of the page before."""
    sees_all = permitting.where(user, SEE) is None
    shown: dict[str, Any] = {
        "form": form,
        "query": form.query(),
        "asked_for": form.asked().items(),
        "offered": _offered() if sees_all else {},  # names of every integration
    }
    if not form.is_valid():
        return {**shown, "lines": [], "wrong": True}
    question = form.question()
    about = finding.whom(question)
    place = _place(after)
    number = PER_PAGE + 1 if place else MOST_COUNTED + 1
    found = finding.places(question, matching(question, about, user), place, number)
    page = found[:PER_PAGE]
    return {
        **shown,
        "lines": [_line(row) for row in finding.in_order(page)],
        "number": min(len(found), MOST_COUNTED),
        "more_than_counted": len(found) > MOST_COUNTED,
        "later": place is not None,
        "next": _after(page[-1]) if len(found) > PER_PAGE else "",
        "asked": form.query() != "",
        "known": known(about) if about and may_know_people(user) else None,
        "then": _then(question, about, user) if about else [],
        "then_day": form.cleaned_data["until"],
    }


def may_know_people(user: User) -> bool:
    """By which other addresses somebody is known is the directory's to tell."""
    return user.has_perm("directory.view_person")


def matching(question: Question, about: Whom | None, user: User) -> QuerySet[Action]:
    return permitting.of_those_permitted(finding.matching(question, about), user, SEE)


def _then(question: Question, about: Whom, user: User) -> list[dict[str, Any]]:
    """What one person held at the end of the period, by integration, as the record tells."""
    if question.until is None or len(about.people) > 1 or about.choices or about.crowd:
        return []
    rows = matching(Question(), about, user).filter(
        finished_at__lt=question.until, state=Action.State.DONE, proposed=False, holder__isnull=True
    )
    newest = rows.select_related("job__integration").order_by("-finished_at", "-pk")[:MOST_COUNTED]
    told: dict[Integration, list[Action]] = {}
    for row in reversed(newest):
        told.setdefault(row.job.integration, []).append(row)
    found = ((of, held_after(actions)) for of, actions in told.items())
    return [{"integration": of, "held": held} for of, held in found if held]


def _line(row: Action) -> dict[str, Any]:
    return job_plan.line(row) | {"decisions": decisions(row.job), "failed": row.state in job_plan.FAILING}


def decisions(job: ProvisioningJob) -> list[dict[str, Any]]:
    """Who decided what about the job, when and why."""
    overridden = [
        {
            "what": _("%(hold)s overridden") % {"hold": wording.hold(one["code"])},
            "by": one["by"],
            "at": parse_datetime(one["at"]),
            "why": one["reason"],
        }
        for one in job.overrides
    ]
    parts: Sequence[tuple[str, Any, Any, str]] = (
        (_("Asked for"), job.requested_by, job.requested_at, job.request_reason),
        (_("Approved"), job.approved_by, job.approved_at, job.approval_reason),
        (_("Rejected"), job.rejected_by, job.rejected_at, job.rejection_reason),
        (_("Cancelled"), job.cancelled_by, job.finished_at, job.cancel_reason),
    )
    made = [
        {"what": what, "by": by.get_username(), "at": at, "why": why} for what, by, at, why in parts if by
    ]
    return made[:1] + overridden + made[1:] if job.requested_by else overridden + made


def known(about: Whom) -> dict[str, Any]:
    """By what else they are looked for."""
    people = Person.objects.filter(pk__in=about.people).order_by("email", "pk")
    former, present = _by_person(FormerEmail, about.people), _by_person(PersonEmail, about.people)
    return {
        "people": [
            {
                "person": person,
                "present": sorted(present.get(person.pk, set())),
                "former": sorted(former.get(person.pk, set()) - present.get(person.pk, set())),
            }
            for person in people
        ],
        "addresses": sorted(about.addresses),
        "accounts": sorted(about.accounts),
        "begins": about.begins,
        "crowd": about.crowd,
        "choices": about.choices,
    }


def _by_person(model: Any, people: Iterable[int]) -> Mapping[int, set[str]]:
    found: dict[int, set[str]] = {}
    for person, key in model.objects.filter(person__in=people).values_list("person_id", "key"):
        found.setdefault(person, set()).add(key)
    return found


def _offered() -> dict[str, list[str]]:
    """Names that were ever spoken of, a rule among several by itself."""
    texts: dict[str, set[str]] = {RULES: set(), HELD: set()}
    for kind, text in Name.objects.order_by("pk").values_list("kind", "text")[:MOST_OFFERED]:
        texts[kind].update(text.split(", ") if kind == RULES else [text])
    return {f"{kind}-known": sorted(found, key=str.casefold) for kind, found in texts.items()}


def _after(place: Place) -> str:
    return f"{place.at.isoformat() if place.at else ''}~{place.pk}"


def _place(written: str) -> Place | None:
    """None where the address says nothing that makes sense."""
    at, _tilde, pk = written.rpartition("~")
    try:
        when = datetime.fromisoformat(at) if at else None
        makes_sense = pk.isdecimal() and len(pk) < 19 and (when is None or when.tzinfo is not None)
        return Place(when, int(pk)) if makes_sense else None
    except ValueError:
        return None


def address_of(query: str) -> str:
    """Where a question is answered."""
    page = reverse("admin:provisioning_action_changelist")
    return f"{page}?{query}" if query else page


def in_lines(job: ProvisioningJob) -> SafeString:
    """Who decided what, one line each."""
    lines = (
        (one["what"], one["by"], moment(one["at"]), f": {one['why']}" if one["why"] else "")
        for one in decisions(job)
    )
    said = _("%(what)s by %(by)s, %(at)s") % {"what": "{}", "by": "{}", "at": "{}"}
    return format_html_join(mark_safe("<br>"), f"{said}{{}}", lines) or SafeString("-")
