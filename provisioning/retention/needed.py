"""Which old jobs stay: those that the next job, or what is still open, looks back at."""

from collections.abc import Iterable, Iterator, Set

from django.db.models import Q

from directory.bulk import batches
from integrations.models import Integration
from provisioning import accounts, history
from provisioning.actions import Kind, Situation
from provisioning.models import Action, Key, PersonChange, ProvisioningJob, ProvisioningJobQuerySet
from provisioning.standing import READ_TO_THE_END

State = ProvisioningJob.State
OPEN = (*ProvisioningJob.LIVE, State.AWAITING_APPROVAL)

SYNCS_LOOKED_INTO = 2
"""A sync asks the audit log of what was found since the sync before the last one."""


def needed_jobs() -> set[int]:
    """Their numbers, whatever their age. What looks back over a fixed time is not here: no retention is
    shorter than the longest of these times.
    """
    found = {*_open(), *_referred_to()}
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
    """By rows of other tables, whichever there are: a review, an alarm."""
    for relation in ProvisioningJob._meta.related_objects:
        if relation.related_model not in (Action, PersonChange, ProvisioningJob):
            yield from _named_by(relation, relation.field.attname)
    for relation in Action._meta.related_objects:
        yield from _named_by(relation, f"{relation.field.name}__job")


def _named_by(relation: object, path: str) -> Iterator[int]:
    rows = relation.related_model._base_manager.exclude(**{path: None})  # type: ignore[attr-defined]
    yield from rows.order_by().values_list(path, flat=True).distinct()


def _of(integration: Integration) -> Iterator[int]:
    jobs: ProvisioningJobQuerySet = integration.jobs.all()
    yield from _told_on_its_pages(jobs)
    yield from _numbers(history.carried_out().filter(integration=integration).order_by("-pk")[:1])
    yield from _read_and_planned(jobs)
    for number in jobs.filter(state__in=OPEN).values_list("pk", flat=True):
        yield from _read_and_planned(jobs.filter(pk__lt=number))
    yield from _last_about_groups(integration)
    yield from _made(integration)
    yield from _owing_a_sweep(integration)
    yield from _with_open_checklists(integration)


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


def _last_about_groups(integration: Integration) -> Iterable[int]:
    """What a group was left with is put together from the last that was done about each of its rights."""
    done = Action.objects.of_groups().filter(job__integration=integration, state=Action.State.DONE)
    about = done.order_by("pk").values_list("holder__id", "entitlement__id", "job_id")
    return {(group, right): job for group, right, job in about}.values()


def _made(integration: Integration) -> Iterable[int]:
    """By what is made is known under which name it was, should somebody rename it."""
    made = Action.objects.filter(job__integration=integration, kind=Kind.CREATE, state=Action.State.DONE)
    return made.filter(new_account_id__isnull=False).values_list("job_id", flat=True)


def _owing_a_sweep(integration: Integration) -> Iterator[int]:
    about = Action.objects.filter(job__integration=integration)
    looked_at = about.filter(Q(kind=Kind.REMOVE) | Q(situation=Situation.LEFT_BEHIND))
    for some in batches([account.remote_id for account in accounts.owed_a_sweep(integration)]):
        yield from looked_at.filter(account_id__in=some).values_list("job_id", flat=True)


def _with_open_checklists(integration: Integration) -> Iterator[int]:
    """A key that a leaver left behind, and that is still there."""
    present = Key.objects.present().filter(integration=integration).values_list("kind", "remote_id")
    there = set(present)
    told = Action.objects.filter(
        job__integration=integration, situation=Situation.LEFT_BEHIND, confirmed_at=None
    )
    for job, held in told.order_by().values_list("job_id", "entitlement"):
        if held and (held["kind"], held["id"]) in there:
            yield job
