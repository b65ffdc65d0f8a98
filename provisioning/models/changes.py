"""Whom a job is to look at, and since when the directory has known a reason to."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Min, Q
from django.utils.translation import gettext_lazy as _

from directory.models import Person
from integrations.models import Integration
from provisioning.models.jobs import ProvisioningJob

FIRST_RETRY = timedelta(seconds=15)
LAST_RETRY = timedelta(hours=1)

MOST_IN_A_JOB = 500
"""Whoever comes after them is looked at by the next job, and no one waits for a job without end."""


def wait_after(tries: int) -> timedelta:
    """Doubled with each try that came to nothing, up to an hour."""
    return min(FIRST_RETRY * (1 << min(tries - 1, 16)), LAST_RETRY)


class PersonChangeQuerySet(models.QuerySet["PersonChange"]):
    def waiting(self) -> "PersonChangeQuerySet":
        return self.filter(job=None)

    def due(self, now: datetime) -> "PersonChangeQuerySet":
        """Waiting, and not put off."""
        return self.waiting().filter(Q(retry_at=None) | Q(retry_at__lte=now))

    def note(self, integrations: Sequence[Integration], people: Collection[int], *, now: datetime) -> None:
        """In the transaction of the change itself. Of somebody who waits already the first moment stays, and
        they are no longer put off.

        Each waiting row is written to, so that no job takes it up before the change can be seen. One that
        was taken up a moment ago is made anew.
        """
        ids = sorted(set(people))
        mine = self.waiting().filter(integration__in=integrations, person__in=ids)
        noted = 0
        while noted < len(integrations) * len(ids):
            self._add(
                PersonChange(integration=integration, person_id=person, known_at=now)
                for integration in integrations
                for person in ids
            )
            noted = mine.update(retry_at=None, tries=0)

    def longest_waiting(self, integration: Integration, *, now: datetime) -> dict[int, int]:
        """Ids by the person's, locked until the end of the transaction; without those that somebody is
        changing right now.
        """
        due = self.due(now).filter(integration=integration).order_by("known_at", "pk")
        locked = due.select_for_update(skip_locked=True)
        return dict(locked.values_list("person", "pk")[:MOST_IN_A_JOB])

    def try_again(self, job: ProvisioningJob, people: Collection[int] | None, *, now: datetime) -> None:
        """The job came to nothing for these, or for all of its people; the next is for them after a while."""
        changes = self.filter(job=job) if people is None else self.filter(job=job, person__in=people)
        self._add(
            PersonChange(
                integration_id=change.integration_id,
                person_id=change.person_id,
                known_at=change.known_at,
                tries=change.tries + 1,
                retry_at=now + wait_after(change.tries + 1),
            )
            for change in changes
        )

    def known_since(self, job: ProvisioningJob) -> Mapping[int, datetime]:
        """By person: the first change that waits for a look, or that this job or a live one looks at."""
        open_ = Q(job=None) | Q(job=job) | Q(job__state__in=ProvisioningJob.LIVE)
        of_job = self.filter(open_, integration=job.integration_id)
        return dict(of_job.order_by().values_list("person").annotate(first=Min("known_at")))

    def _add(self, changes: Iterable["PersonChange"]) -> None:
        """But for those who wait already."""
        self.bulk_create(changes, batch_size=500, ignore_conflicts=True)


class PersonChange(models.Model):
    """A change of a person that one integration must look at. `job` is the one that does, if any does yet."""

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="person_changes")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="changes")
    job = models.ForeignKey(
        ProvisioningJob, on_delete=models.CASCADE, null=True, blank=True, related_name="changes"
    )
    known_at = models.DateTimeField(help_text=_("When the directory knew of it."))
    tries = models.PositiveSmallIntegerField(
        default=0, help_text=_("How many jobs have come to nothing for this person.")
    )
    retry_at = models.DateTimeField(null=True, blank=True)

    objects = PersonChangeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["integration", "person"], condition=Q(job=None), name="person_waits_once"
            ),
            models.UniqueConstraint(fields=["job", "person"], name="person_once_in_job"),
        ]
        indexes = [models.Index(fields=["integration", "person", "-known_at"], name="person_change_last")]

    def __str__(self) -> str:
        return f"{self.person} in {self.integration}"
