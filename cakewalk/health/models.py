"""When each part of the installation that nobody calls was last heard from."""

from collections.abc import Collection
from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _


class Part(models.TextChoices):
    """A worker may be both of the last two: it is heard from for each queue that it serves."""

    CLOCK = "clock", _("Clock")
    WORKER = "worker", _("Worker")
    PEOPLE_WORKER = "worker_for_people", _("Worker for people")


class Heartbeats(models.Manager["Heartbeat"]):
    def beat(self, parts: Collection[Part], *, now: datetime) -> None:
        """In one order always, so that two workers never wait for each other in a ring."""
        rows = [Heartbeat(part=part, at=now) for part in sorted(parts)]
        self.bulk_create(rows, update_conflicts=True, unique_fields=["part"], update_fields=["at"])


class Heartbeat(models.Model):
    """The last sign of life of whoever is that part. It says nothing of how many there are."""

    part = models.CharField(max_length=20, primary_key=True, choices=Part.choices)
    at = models.DateTimeField()

    objects = Heartbeats()

    def __str__(self) -> str:
        return str(self.get_part_display())
