"""Whom a job is to look at, and since when the directory has known a reason to."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from directory.models import Person
from integrations.models import Integration
from provisioning.models.jobs import ProvisioningJob


class PersonChange(models.Model):
    """A change of a person that one integration must look at. `job` is the one that does, if any does yet."""

    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="person_changes")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="changes")
    job = models.ForeignKey(
        ProvisioningJob, on_delete=models.CASCADE, null=True, blank=True, related_name="changes"
    )
    known_at = models.DateTimeField(help_text=_("When the directory knew of it."))

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
