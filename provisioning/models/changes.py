"""Whom a job is to look at, and since when the directory has known a reason to."""

from collections.abc import Collection, Iterable
from datetime import datetime

from django.db import models
from django.db.models import Max, Q
from django.utils.translation import gettext_lazy as _

from directory.models import Person
from integrations.models import Integration
from provisioning.models.jobs import ProvisioningJob


class PersonChangeQuerySet(models.QuerySet["PersonChange"]):
    def waiting(self) -> "PersonChangeQuerySet":
        """Those that no job has taken up."""
        return self.filter(job=None)

    def note(
        self, integrations: Iterable[Integration], people: Collection[int], *, known_at: datetime
    ) -> None:
        """Let these people await a job. Whoever waits already has waited since the first change."""
        changes = [
            PersonChange(integration=integration, person_id=person, known_at=known_at)
            for integration in integrations
            for person in sorted(people)
        ]
        self.bulk_create(changes, batch_size=500, ignore_conflicts=True)

    def known_since(self, integration: Integration, people: Collection[int]) -> dict[int, datetime]:
        """When the last change of each of these people was known, by person id."""
        theirs = self.filter(integration=integration, person__in=people).order_by()
        return dict(theirs.values_list("person").annotate(last=Max("known_at")))


class PersonChange(models.Model):
    """A change of a person that one integration must look at. `job` is the one that does, if any does yet."""

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="person_changes")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="changes")
    job = models.ForeignKey(
        ProvisioningJob, on_delete=models.CASCADE, null=True, blank=True, related_name="changes"
    )
    known_at = models.DateTimeField(help_text=_("When the directory knew of it."))

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
