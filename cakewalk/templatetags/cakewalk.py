"""How values show on our own pages, and where a page stands in the sidebar."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.db.models import Model
from django.utils import formats, timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, npgettext_lazy

from cakewalk.look import NAVIGATION
from cakewalk.words import called, grouped
from provisioning import wording
from provisioning.models import Action, ProvisioningJob

register = template.Library()
register.filter(grouped)

TONES = {
    "running": "info",
    "started": "info",
    "planned": "info",
    "waiting": "info",
    "awaiting_approval": "warning",
    "held": "warning",
    "partial": "warning",
    "inconclusive": "warning",
    "stale": "warning",
    "succeeded": "success",
    "done": "success",
    "sent": "success",
    "allowed": "success",
    "active": "success",
    "failed": "danger",
    "refused": "danger",
    "given_up": "danger",
    "unreachable": "danger",
    "ambiguous": "danger",
    "proposed": "info",
    "invited": "info",
    "expired": "warning",
}
"""The colour of each state's label; the rest are plain."""


SPANS: Any = {
    "year": npgettext_lazy("after in and ago", "%(num)d year", "%(num)d years", "num"),
    "month": npgettext_lazy("after in and ago", "%(num)d month", "%(num)d months", "num"),
    "week": npgettext_lazy("after in and ago", "%(num)d week", "%(num)d weeks", "num"),
    "day": npgettext_lazy("after in and ago", "%(num)d day", "%(num)d days", "num"),
    "hour": npgettext_lazy("after in and ago", "%(num)d hour", "%(num)d hours", "num"),
    "minute": npgettext_lazy("after in and ago", "%(num)d minute", "%(num)d minutes", "num"),
}
"""Languages with cases need others there than Django's own words for how long something takes."""


@register.filter
def tone(state: str) -> str:
    return TONES.get(state, "")


register.filter("called", called)


@register.filter
def of(mapping: Mapping[Any, Any], key: Any) -> Any:
    """The value of a key that a template only knows at the time; nothing where there is none."""
    return mapping.get(key, "")


@register.filter
def lasted(start: datetime | None, end: datetime | None) -> str:
    """How long something took: `0.4 s`, `12 s`, `3 min 20 s`; empty while it is not over."""
    return duration(end - start) if start and end else ""


@register.filter
def duration(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds < 0.05:
        return f"< {formats.number_format(0.1, 1)} s"
    if seconds < 10:
        return f"{formats.number_format(round(seconds, 1), 1)} s"
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


@register.filter
def ago(then: datetime) -> str:
    """`5 minutes ago`, and `just now` within the first."""
    now = timezone.now()
    if now - then < timedelta(minutes=1):
        return _("just now")
    return _("%(time)s ago") % {"time": timesince(then, now, time_strings=SPANS)}


@register.filter
def wait(at: datetime) -> str:
    """`2 hours, 5 minutes`, as it stands after `in`."""
    return timeuntil(at, time_strings=SPANS)


@register.filter
def moment(at: datetime | None) -> SafeString:
    """`27 Nov 2026, 16:35 CET`, in the viewer's time zone and for machines too; empty where there is none."""
    return _time(at, _written(at, "H:i")) if at else SafeString()


@register.filter
def exact(at: datetime | None) -> SafeString:
    """`27 Nov 2026, 16:35:07 CET`."""
    return _time(at, _written(at, "H:i:s")) if at else SafeString()


@register.filter
def age(at: datetime | None) -> SafeString:
    """`5 minutes ago`, which tells the exact moment to the mouse."""
    if at is None:
        return SafeString()
    title = _written(at, "H:i:s")
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), title, ago(at))


def _time(at: datetime, written: str) -> SafeString:
    return format_html('<time datetime="{}">{}</time>', at.isoformat(), written)


def _written(at: datetime, clock: str) -> str:
    form = formats.get_format("DATETIME_FORMAT").replace("H:i", clock)
    return formats.date_format(timezone.localtime(at), form)


@register.filter
def what(job: ProvisioningJob) -> str:
    """`First sync`, `Preview · on demand`, `Sync of some people · directory change`, `Restore of job 12`."""
    if job.restores_id:
        return _("Restore of job %(number)d") % {"number": job.restores_id}
    if job.reviews_id:
        return _("Access review")
    if job.trigger == ProvisioningJob.Trigger.FIRST:
        return _("First preview") if job.preview else _("First sync")
    if job.about_everyone:
        kind = _("Preview") if job.preview else _("Sync")
    else:
        kind = _("Preview of some people") if job.preview else _("Sync of some people")
    return f"{kind} · {job.get_trigger_display().lower()}"


@register.filter
def decision(action: Action) -> str:
    """`Invite as reader`."""
    return wording.what(action)


@register.filter
def situation(code: str) -> str:
    return wording.situation(code)


DEEDS: dict[str, Any] = {
    "add": gettext_lazy("Add"),
    "history": gettext_lazy("History"),
    "delete": gettext_lazy("Delete"),
    "import_people": gettext_lazy("Import"),
}
"""The last step of a path, by the end of the address's name. The page of one row is named after the row."""


@register.simple_tag(takes_context=True)
def crumbs(context: dict[str, Any]) -> list[dict[str, str]]:
    """The way to the page in the sidebar's own words: `Provisioning`, `Jobs`, `Job 2`."""
    request = context["request"]
    way = _in_sidebar(request.path)
    if not way:
        return [{"title": str(context.get("title") or "")}]
    row = context.get("original") or context.get("object")
    if isinstance(row, Model):
        name = str(context.get("subtitle") or row)
        way.append({"title": name, "url": f"{way[-1]['url']}{row.pk}/change/"})
    name = request.resolver_match.url_name if request.resolver_match else ""
    deed = DEEDS.get(name.split("_", 2)[-1])
    return [*way, {"title": deed}] if deed else way


def _in_sidebar(address: str) -> list[dict[str, str]]:
    for section in NAVIGATION:
        for page in section["items"]:
            url = str(page["link"])
            if address == url or (address.startswith(url) and "title" in section):
                above = [{"title": section["title"]}] if "title" in section else []
                return [*above, {"title": page["title"], "url": url}]
    return []
