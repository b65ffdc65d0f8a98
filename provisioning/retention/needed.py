"""Which old jobs stay: those that the next job, or what is still open, looks back at."""

from collections.abc import Iterable, Iterator, Set

from django.db.models import CASCADE, Q

from integrations.models import Integration
from provisioning import accounts, history
from provisioning.actions import Kind, Situation
from provisioning.models import Action, Key, ProvisioningJob, ProvisioningJobQuerySet
from provisioning.standing import READ_TO_THE_END

State = ProvisioningJob.State
OPEN = (*ProvisioningJob.LIVE, State.AWAITING_APPROVAL)

CHUNK = 2_000

SYNCS_LOOKED_INTO = 2
"""A sync asks the audit log of what was found since the sync before the last one."""


def needed_jobs() -> set[int]:
    """Their numbers, whatever their age. What looks back over a fixed time is not here: no retention is
    shorter than the longest of these times.
    """
    found = {*_open(), *_referred_to(), *_of_reviews(), *_last_about_groups(), *_made(), *_still_to_settle()}
    for integration in Integration.objects.order_by("pk"):
        found |= set(_of(integration))
    return found


def with_their_restores(going: Set[int]) -> set[int]:
    """Without the jobs that are given back by one that stays, and so on."""
    pairs = dict(
        ProvisioningJob.objects.filter(restores__isnull=False).order_by("-pk").values_list("pk", "restores")
    )
    left = set(going)
    for restore, restored in pairs.items():  # the newest first, for each restores an older one
        if restore not in left:
            left.discard(restored or 0)
    return left


def _open() -> Iterator[int]:
    yield from ProvisioningJob.objects.filter(state__in=OPEN).values_list("pk", flat=True)
    yield from Action.objects.answerless().order_by().values_list("job_id", flat=True).distinct()


def _referred_to() -> Iterator[int]:
    """By rows of other tables, whichever there are. Those that would go with a job are a part of it."""
    for model, to_job in ((ProvisioningJob, ""), (Action, "__job")):
        for relation in model._meta.related_objects:
            if relation.on_delete is not CASCADE and relation.related_model is not ProvisioningJob:
                yield from _named_by(relation, f"{relation.field.name}{to_job}")


def _named_by(relation: object, path: str) -> Iterator[int]:
    rows = relation.related_model._base_manager.exclude(**{path: None})  # type: ignore[attr-defined]
    yield from rows.order_by().values_list(path, flat=True).distinct()


def _of_reviews() -> Iterable[int]:
    """What became of a review's decisions is told from its jobs for as long as there is the review."""
    return ProvisioningJob.objects.exclude(reviews=None).values_list("pk", flat=True)


def _of(integration: Integration) -> Iterator[int]:
    jobs: ProvisioningJobQuerySet = integration.jobs.all()
    yield from _told_on_its_pages(jobs)
    yield from _numbers(history.carried_out().filter(integration=integration).order_by("-pk")[:1])
    yield from _read_and_planned(jobs)
    for number in jobs.filter(state__in=OPEN).values_list("pk", flat=True):
        yield from _read_and_planned(jobs.filter(pk__lt=number))


def _numbers(jobs: ProvisioningJobQuerySet) -> Iterable[int]:
    return jobs.values_list("pk", flat=True)


def _told_on_its_pages(jobs: ProvisioningJobQuerySet) -> Iterator[int]:
    ended = jobs.exclude(state__in=(*ProvisioningJob.LIVE, State.CANCELLED))
    complete = jobs.filter(state__in=READ_TO_THE_END)
    for landmarks in (jobs, ended, ended.syncs(), complete, complete.syncs()):
        yield from _numbers(landmarks.order_by("-pk")[:1])
    yield from _numbers(jobs.filter(finished_at__isnull=False).order_by("-finished_at")[:1])


def _read_and_planned(jobs: ProvisioningJobQuerySet) -> Iterator[int]:
    reads = jobs.complete_reads()
    yield from _numbers(reads.order_by("-pk")[: history.READS_COMPARED])
    yield from _numbers(reads.filter(restores=None).order_by("-pk")[:1])
    yield from _numbers(reads.order_by("-planned_at")[:1])
    yield from _counting_sources(jobs)
    syncs = jobs.syncs().filter(planned_at__isnull=False)
    if last := list(_numbers(syncs.order_by("-pk")[:SYNCS_LOOKED_INTO])):
        yield from _numbers(jobs.filter(planned_at__isnull=False, pk__gte=last[-1]))


def _counting_sources(jobs: ProvisioningJobQuerySet) -> Iterator[int]:
    planned = jobs.syncs().filter(planned_at__isnull=False, refusal__isnull=True)
    last = planned.order_by("-planned_at").first()
    if last and last.planned_at:
        yield from _numbers(planned.filter(planned_at__gte=last.planned_at - history.BIT_BY_BIT))


def _last_about_groups() -> Iterable[int]:
    """What a group was left with is put together from the last that was done about each of its rights."""
    done = Action.objects.of_groups().filter(state=Action.State.DONE).order_by("pk")
    about = done.values_list("job__integration", "holder__id", "entitlement__id", "job_id")
    return {(place, group, right): job for place, group, right, job in about.iterator(CHUNK)}.values()


def _made() -> Iterable[int]:
    """By what is made is known under which name it was, should somebody rename it."""
    made = Action.objects.filter(kind=Kind.CREATE, state=Action.State.DONE, new_account_id__isnull=False)
    return made.order_by().values_list("job_id", flat=True).distinct()


def _still_to_settle() -> Iterator[int]:
    """Removals whose leavings are still to be looked for, what was told of them, and open checklists: keys of
    leavers that are still there. All in one walk, for there may be a million actions.
    """
    owed = {
        (integration.pk, account.remote_id)
        for integration in Integration.objects.order_by("pk")
        for account in accounts.owed_a_sweep(integration)
    }
    there = set(Key.objects.present().values_list("integration", "kind", "remote_id"))
    about = Action.objects.filter(Q(kind=Kind.REMOVE) | Q(situation=Situation.LEFT_BEHIND)).order_by()
    columns = ("job_id", "job__integration", "account_id", "situation", "confirmed_at", "entitlement")
    for job, place, account, situation, confirmed_at, held in about.values_list(*columns).iterator(CHUNK):
        told = held and situation == Situation.LEFT_BEHIND and confirmed_at is None
        if (place, account) in owed or (told and (place, held["kind"], held["id"]) in there):
            yield job
