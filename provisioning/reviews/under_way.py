"""What workers do with reviews: open them, hand lines over, finish and cancel them. It is asked for in
`running`; all of it is done or nothing, however often a worker is stopped. The lines are written before the
review's own row, which is locked for a moment only: whoever presses Stop does not wait.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from cakewalk.ledger.actors import person
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from directory.bulk import batches, insert
from provisioning import history, recovering, requesting
from provisioning.requesting import Refused
from provisioning.reviews import evidence, listing, running, tasks
from provisioning.reviews.models import AT_ONCE, Campaign, Item, TakenOver

log = logging.getLogger(__name__)

State = Campaign.State


def lost(*, now: datetime) -> list[int]:
    """Those whose message was lost, or whose worker died: to be sent again."""
    return [campaign.pk for campaign in Campaign.objects.under_way() if _is_free(campaign, now=now)]


def _is_free(campaign: Campaign, *, now: datetime) -> bool:
    return recovering.is_free(campaign.holder, campaign.lease_expires_at, now=now)


def forget_what_was_not_opened() -> None:
    """Lines of reviews whose opening was stopped, and which are drafts again."""
    left = Item.objects.filter(campaign__state=State.DRAFT)
    if left.exists():  # for even an empty DELETE waits for whoever writes to SQLite
        left.delete()


def go_on(campaign_id: int) -> None:
    """From the beginning, whatever another worker had done. Nothing where another one has it."""
    found = Campaign.objects.select_related("integration", "default_reviewer", "asked_by")
    campaign, now = found.filter(pk=campaign_id).first(), timezone.now()
    if campaign is None or not campaign.is_under_way or not _is_free(campaign, now=now):
        return
    if not campaign.claim(holder=recovering.worker_name(), now=now, after=campaign.holder):
        return
    try:
        _do(campaign)
    except TakenOver:
        log.warning("Review %s was taken over by another worker, or stopped.", campaign.pk)
    except OperationalError:
        raise  # the database is away; the clock finds the review again
    except Refused as refusal:
        _give_up(campaign, str(refusal), "refused")
    except Exception as error:
        # A defect of ours. Its text may hold anything, so only its name is kept where people can read it.
        log.exception("Review %s is as it was: %s failed.", campaign.pk, campaign.state)
        with _in_the_language_of(campaign.asked_by):
            said = _("An error in Cakewalk itself: %(error)s. The worker's log has more.")
        _give_up(campaign, said % {"error": type(error).__name__}, "failed")


def _do(campaign: Campaign) -> None:
    deeds = {
        State.OPENING: _open,
        State.HANDING: _hand_over,
        State.FINISHING: _finish,
        State.CANCELLING: _cancel,
    }
    with _in_the_language_of(campaign.asked_by):  # who is told if it is refused
        deeds[State(campaign.state)](campaign)


def _in_the_language_of(user: User | None) -> override:
    return override((user and user.language) or settings.LANGUAGE_CODE)


def _give_up(campaign: Campaign, note: str, outcome: str) -> None:
    with together():
        mine = Campaign.objects.select_for_update(of=("self",))
        current = mine.filter(pk=campaign.pk, state=campaign.state, holder=campaign.holder).first()
        if current is None:
            return
        facts = {"what": current.state, "outcome": outcome}
        current.give_up(note)
        record(Verb.REVIEW_STOPPED, current, after={"state": current.state}, facts=facts)


# -- opening


def _open(campaign: Campaign) -> None:
    """Some lines at a time, so that nobody else waits for the database; nobody is asked before the last."""
    running.check_may_open(campaign)
    campaign.items.all().delete()  # what a worker that died had written
    found = listing.listed(campaign, now=timezone.now())
    numbers = _write(campaign, found)
    if not numbers:
        raise Refused(_("There is nothing to review: no account and no grant is of this scope."))
    opened = {
        "opened_by": campaign.asked_by,
        "opened_at": timezone.now(),
        "read_at": found.read_at,
        "not_covered": list(found.not_covered),
    }
    with together():
        campaign.come_to(State.OPEN, **opened)
        record(
            Verb.REVIEW_OPENED,
            campaign,
            after={"state": campaign.state},
            facts={
                "lines": numbers.total(),
                "by_reviewer": evidence.names_with(numbers),
                "due_on": campaign.due_on,
                "read_at": campaign.read_at,
                "not_covered": campaign.not_covered,
            },
            by=person(campaign.asked_by),
        )
        requesting.wake(tasks.go_on_with_reviews)  # which sends the reminders


def _write(campaign: Campaign, found: listing.Listed) -> Counter[int]:
    """How many lines each reviewer has got."""
    reviewer, numbers = listing.COLUMNS.index("reviewer_id"), Counter[int]()
    while some := list(islice(found.rows, AT_ONCE)):
        rows = [row for _share, row in some]
        with transaction.atomic():
            insert(Item, listing.COLUMNS, rows)
            campaign.tell(some[-1][0], now=timezone.now())
        numbers.update(row[reviewer] for row in rows)
    return numbers


# -- handing over


def _hand_over(campaign: Campaign) -> None:
    """What the one has not decided. Nobody decides anything meanwhile, so that these are still those."""
    asked = campaign.asked_with or {}
    of, to = (User.objects.get(pk=asked[name]) for name in ("of", "to"))
    if why := running.why_no_reviewer(to, campaign):
        raise Refused(why)
    waiting = campaign.items.of(of).undecided()
    numbers, all_ = list[int](), waiting.count()
    for rows in waiting.in_turn():
        if own := running.own_lines(rows, to):
            said = _("%(user)s would decide about their own account: %(line)s.")
            raise Refused(said % {"user": to, "line": own[0]})
        numbers += [row.seq for row in rows]
        campaign.tell(len(numbers) / all_ / 2, now=timezone.now())  # to write it takes as long again
    with together():
        handed = waiting.update(reviewer=to)
        campaign.come_to(State.OPEN)
        if handed:
            record(
                Verb.REVIEW_HANDED_OVER,
                campaign,
                before={"reviewer": of.get_username()},
                after={"reviewer": to.get_username()},
                facts={"lines": len(numbers), "numbers": in_ranges(numbers)},
                by=person(campaign.asked_by),
            )


def in_ranges(numbers: Iterable[int]) -> str:
    """`1-3, 7` of 1, 2, 3 and 7, in order: mostly these are all that somebody was asked, by the thousand."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    return ", ".join("-".join(map(str, one)) for one in ranges)


# -- finishing and cancelling


def _finish(campaign: Campaign) -> None:
    """In one go through all lines: what has changed is told of each, and the digest is of what is told."""
    changed: dict[str, list[int]] = {}
    closed = _closed(campaign, State.FINISHED, _lines(campaign, changed))
    wanted_by = campaign.asked_by if campaign.items.revoked().exists() else None
    with together():
        for said, ids in changed.items():
            for some in batches(ids):
                Item.objects.filter(pk__in=some).update(meanwhile=said)
        campaign.come_to(State.FINISHED, **closed, job_wanted_by=wanted_by)
        _record_end(Verb.REVIEW_FINISHED, campaign)
        transaction.on_commit(lambda: running.ask_for_job(campaign.pk))


def _cancel(campaign: Campaign) -> None:
    closed = _closed(campaign, State.CANCELLED, _lines(campaign))
    with together():
        campaign.come_to(State.CANCELLED, **closed)
        _record_end(Verb.REVIEW_CANCELLED, campaign)


def _closed(campaign: Campaign, state: str, lines: Iterator[Item]) -> dict[str, Any]:
    """What is written of a review that is over. No decision is younger than when that was asked for."""
    values = {
        "closed_by": campaign.asked_by,
        "closed_at": campaign.asked_at,
        "close_reason": (campaign.asked_with or {})["reason"],
        "names": evidence.names_of(campaign, campaign.asked_by),
    }
    over = Campaign.objects.select_related("integration").get(pk=campaign.pk)
    for name, value in {"state": state, **values}.items():
        setattr(over, name, value)
    return {**values, "digest": evidence.digest_of(over, lines)}


def _lines(campaign: Campaign, changed: dict[str, list[int]] | None = None) -> Iterator[Item]:
    """All lines. `changed` collects which of them are not as they were listed any more, by what is different
    since then, as of the last read. Nothing of it is acted upon blindly: the job reads everything once more.
    """
    read, number, all_ = history.last_complete_read(campaign.integration), 0, campaign.items.count()
    for rows in campaign.items.all().in_turn():
        if changed is not None:
            now = listing.found(campaign.integration, read, [row.account_ref for row in rows])
            for row in rows:
                row.meanwhile = evidence.what_has_changed(row, now.get(row.account_ref))
                if row.meanwhile:
                    changed.setdefault(row.meanwhile, []).append(row.pk)
        yield from rows
        number += len(rows)
        campaign.tell(number / all_, now=timezone.now())


def _record_end(verb: Verb, campaign: Campaign) -> None:
    record(
        verb,
        campaign,
        after={"state": campaign.state, "reason": campaign.close_reason},
        facts={**evidence.numbers(campaign), "digest": campaign.digest},
        by=person(campaign.asked_by),
    )
