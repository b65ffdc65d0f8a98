"""What needs a person now, each with the place where it is settled. The home page begins with it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models import CharField, Count, Q, Value
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cakewalk.health.models import Heartbeat
from cakewalk.models import User
from directory.models import Conflict, Pull
from directory.time_zones import today
from integrations.permitting import May, anywhere, of_those_permitted, on
from provisioning.alarms.models import Alarm, Delivery
from provisioning.models import Key, ProvisioningJob
from provisioning.reviews.models import Campaign
from provisioning.reviews.reminding import lines_waiting
from provisioning.reviews.standing import attention
from provisioning.standing import SettledAt, Standing, Trouble

MOST = 10
"""So many of one sort are told one by one; the rest by their number."""


@dataclass(frozen=True, slots=True)
class Need:
    tone: str
    title: str
    says: Sequence[str]
    url: str
    button: str


def needs(user: User, found: Sequence[Standing], awaiting: Sequence[ProvisioningJob]) -> list[Need]:
    """As far as whoever looks may see it: that nothing works at all, then what waits for a decision."""
    may = user.has_perm
    told: list[Need] = list(_silent()) if may("alarms.view_alarm") else []
    if anywhere(user, "reviews.review_access"):
        told += _some(list(map(_review, _lines_waiting(user))), "reviews:mine")
    told += _some([_approval(job) for job in awaiting], "admin:provisioning_provisioningjob_changelist")
    troubles = [
        _trouble(standing, trouble, on(standing.integration, user))
        for standing in found
        for trouble in standing.troubles
    ]
    told += _some(troubles, "admin:integrations_integration_changelist")
    if may("directory.view_source"):
        told += _some(list(_pulls()), "admin:directory_ldapserver_changelist")
    counted = ("directory.view_conflict", "provisioning.view_key", "alarms.view_delivery")
    numbers = _numbers(user) if any(map(may, counted)) else {}
    if may("alarms.view_alarm"):
        told += _alarms(user)
    if may("alarms.view_delivery"):
        told += _untold(numbers.get(UNTOLD, 0))
    if may("directory.view_conflict"):
        told += _conflicts(numbers.get(CONFLICTS, 0))
    if may("provisioning.view_key"):
        told += _keys_of_leavers(numbers.get(KEYS, 0))
    if anywhere(user, "reviews.change_campaign"):
        told += _some(list(_running_reviews(user)), "admin:reviews_campaign_changelist")
    return told


def _silent() -> Iterable[Need]:
    """Clock and workers that are missed. Where all of them are, nobody but this page can tell it."""
    for part in Heartbeat.objects.silent(timezone.now()):
        title = _("%(part)s: nothing was heard from it since %(when)s") % {
            "part": part,
            "when": date_format(localtime(part.at), "DATETIME_FORMAT"),
        }
        says = _("See whether its process runs, and start it. Its log says why it ended.")
        url = reverse("docs:document", args=["runbook"]) + "#clock-or-worker-silent"
        yield Need("danger", title, (says,), url, _("Open the runbook"))


def _review(waiting: tuple[Campaign, int]) -> Need:
    """What they are asked themselves."""
    campaign, number = waiting
    day = date_format(campaign.due_on, "l, ") + date_format(campaign.due_on)
    overdue = campaign.due_on < today()
    if overdue:
        title = ngettext(
            "You had %(number)d line to review until %(day)s",
            "You had %(number)d lines to review until %(day)s",
            number,
        )
    else:
        title = ngettext(
            "You have %(number)d line to review until %(day)s",
            "You have %(number)d lines to review until %(day)s",
            number,
        )
    says = _("%(review)s of %(integration)s") % {"review": campaign, "integration": campaign.integration}
    url = reverse("reviews:review", args=[campaign.public_id])
    return Need(
        "danger" if overdue else "warning", title % {"number": number, "day": day}, (says,), url, _("Review")
    )


def _lines_waiting(user: User) -> list[tuple[Campaign, int]]:
    waiting = lines_waiting(user)
    return [one for one in waiting if user.has_perm("reviews.review_access", one[0])]


def _running_reviews(user: User) -> Iterable[Need]:
    """Overdue ones, and those whose revocations nobody has carried out."""
    for campaign in attention(today()):
        if not user.has_perm("reviews.change_campaign", campaign):
            continue
        if campaign.is_open:
            title = _("The review %(review)s is overdue") % {"review": campaign}
            says = _("It was due on %(day)s. Finish it, or see who is late.") % {
                "day": date_format(campaign.due_on)
            }
        else:
            title = _("What the review %(review)s revoked is not carried out") % {"review": campaign}
            says = _("Its last job did not take it, and none is under way.")
        url = reverse("admin:reviews_campaign_change", args=[campaign.pk])
        yield Need("warning", title, (says,), url, _("Open the review"))


def _some(all_: Sequence[Need], url: str) -> Iterable[Need]:
    yield from all_[:MOST]
    if number := len(all_[MOST:]):
        more = ngettext("%(number)d more like these", "%(number)d more like these", number)
        yield Need(all_[0].tone, more % {"number": number}, (), reverse(url), _("Open the list"))


def _approval(job: ProvisioningJob) -> Need:
    held = int(getattr(job, "held", 0))
    says = ngettext("%(number)d action held.", "%(number)d actions held.", held) % {"number": held}
    title = _("%(job)s of %(integration)s awaits approval") % {"job": job, "integration": job.integration}
    why = [f"{hold['detail'].rstrip('.')}." for hold in job.holds]
    return Need("warning", title, (says, *why), _job(job), _("Review"))


def _trouble(standing: Standing, trouble: Trouble, may: May) -> Need:
    of = standing.integration
    url, button = reverse("admin:integrations_integration_change", args=[of.pk]), _("Open")
    match trouble.settled_at:
        case SettledAt.CREDENTIAL if may("integrations.enter_credential"):
            url, button = reverse("integrations:credential", args=[of.pk]), _("Replace credential")
        case SettledAt.JOB if trouble.job and may("provisioning.view_provisioningjob"):
            url, button = _job(trouble.job), _("Open the job")
        case SettledAt.RULES if may("provisioning.view_accessrule"):
            rules = reverse("admin:provisioning_accessrule_changelist")
            url, button = f"{rules}?integration__id__exact={of.pk}", _("Open the rules")
    title = _("%(integration)s needs attention") % {"integration": of}
    return Need("danger", title, (trouble.says,), url, button)


def _job(job: ProvisioningJob) -> str:
    return reverse("admin:provisioning_provisioningjob_change", args=[job.pk])


def _pulls() -> Iterable[Need]:
    """LDAP servers whose last pull brought nothing."""
    last = Pull.objects.newest_of_each().exclude(outcome=Pull.Outcome.DONE)
    for pull in last.order_by("source__name"):
        said = {"source": pull.source, "outcome": pull.get_outcome_display().lower()}
        title = _("The last pull of %(source)s: %(outcome)s") % said
        url = reverse("admin:directory_source_change", args=[pull.source_id])
        yield Need("danger", title, (pull.detail,), url, _("Open the source"))


def _alarms(user: User) -> Iterable[Need]:
    """Those whose cause is told nowhere else on this page."""
    quiet = Q(cause=Alarm.Cause.SOURCE_QUIET) & ~Q(code="pull_failed")
    found = Alarm.objects.open().filter(quiet | Q(cause=Alarm.Cause.LEDGER_BROKEN)).order_by("pk")
    for alarm in of_those_permitted(found, user, "alarms.view_alarm"):
        url = reverse("admin:alarms_alarm_change", args=[alarm.pk])
        yield Need("danger", alarm.title, (alarm.detail,), url, _("Open the alarm"))


def _untold(number: int) -> Iterable[Need]:
    if number:
        title = ngettext(
            "%(number)d alarm message was taken by nobody",
            "%(number)d alarm messages were taken by nobody",
            number,
        )
        says = _("See what the channel answered, put it right, and send it again.")
        url = f"{reverse('admin:alarms_delivery_changelist')}?state__exact={Delivery.State.GIVEN_UP}"
        yield Need("danger", title % {"number": number}, (says,), url, _("Open the deliveries"))


CONFLICTS, KEYS, UNTOLD = "conflicts", "keys", "untold"


def _numbers(user: User) -> dict[str, int]:
    """Open conflicts, keys of leavers that are still there, and what nobody took: in one query."""
    conflicts = Conflict.objects.filter(state=Conflict.State.OPEN)
    of_leavers = of_those_permitted(Key.objects.present().of_leavers(today()), user, "provisioning.view_key")
    untold = of_those_permitted(Delivery.objects.untold(timezone.now()), user, "alarms.view_delivery")
    counted = [
        rows.order_by()
        .annotate(what=Value(name, CharField()))
        .values_list("what")
        .annotate(number=Count("pk", distinct=True))
        for name, rows in ((CONFLICTS, conflicts), (KEYS, of_leavers), (UNTOLD, untold))
    ]
    return dict(counted[0].union(*counted[1:], all=True))


def _conflicts(number: int) -> Iterable[Need]:
    if number:
        title = ngettext(
            "%(number)d person is wanted by two sources",
            "%(number)d people are wanted by two sources",
            number,
        )
        says = _("Until somebody decides, they stay with the source that had them first.")
        url = f"{reverse('admin:directory_conflict_changelist')}?state__exact={Conflict.State.OPEN}"
        yield Need("warning", title % {"number": number}, (says,), url, _("Decide"))


def _keys_of_leavers(number: int) -> Iterable[Need]:
    if number:
        title = ngettext(
            "%(number)d key of somebody who has left still works",
            "%(number)d keys of people who have left still work",
            number,
        )
        says = _("Revoke it where it was made; the next read of the keys takes it off this list.")
        url = f"{reverse('admin:provisioning_key_changelist')}?owner=left"
        yield Need("warning", title % {"number": number}, (says,), url, _("Open the keys"))
