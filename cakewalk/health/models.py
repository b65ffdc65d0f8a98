"""When each part that nobody calls was last heard from; and what has been counted."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from django.db import connection, models
from django.utils.translation import gettext_lazy as _


class Part(models.TextChoices):
    """A worker may be both of the last two: it is heard from for each queue that it serves."""

    CLOCK = "clock", _("Clock")
    WORKER = "worker", _("Worker")
    PEOPLE_WORKER = "worker_for_people", _("Worker for people")


MISSED_AFTER = timedelta(minutes=5)
"""Silent for so long, it is missed. A restart takes less."""


class Heartbeats(models.Manager["Heartbeat"]):
    def silent(self, now: datetime) -> models.QuerySet["Heartbeat"]:
        return self.filter(part__in=Part.values, at__lt=now - MISSED_AFTER).order_by("part")

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


ADD = """
INSERT INTO health_tally (name, labels, value) VALUES {}
ON CONFLICT (name, labels) DO UPDATE SET value = health_tally.value + excluded.value
"""


class Tallies(models.Manager["Tally"]):
    def add(self, counted: Mapping[tuple[str, tuple[str, ...]], float]) -> None:
        """All in one statement. In one order always, as rows of two processes are added to at once."""
        if not counted:
            return
        keyed = {(name, json.dumps(labels, ensure_ascii=False)): by for (name, labels), by in counted.items()}
        values: list[str | float] = []
        for (name, labels), by in sorted(keyed.items()):
            values += name, labels, by
        with connection.cursor() as cursor:
            cursor.execute(ADD.format(", ".join(["(%s, %s, %s)"] * len(keyed))), values)


class Tally(models.Model):
    """How often something has happened ever since: a sum that outlives what it counts."""

    name = models.CharField(max_length=60)
    labels = models.CharField(max_length=500)
    value = models.FloatField(default=0)

    objects = Tallies()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "labels"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.labels}"
