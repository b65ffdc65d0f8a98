"""Clock and workers say that they are alive, from where they would stop if they hung.

A worker beats from its consumer, as long as that is connected to the broker: a worker whose hands are all
busy with long jobs is well, and a task that is to say so would wait behind them.
"""

import logging
import time
from typing import TYPE_CHECKING, Any

from celery import bootsteps
from celery.beat import Scheduler
from django.db import DatabaseError, connection
from django.utils import timezone
from kombu.exceptions import OperationalError

from cakewalk.health.flooding import MOST_WAITING, waiting_in

if TYPE_CHECKING:
    from cakewalk.health.models import Part

log = logging.getLogger(__name__)

EVERY = 15.0
"""Seconds between two signs of life."""


def beat(parts: "list[Part]") -> None:
    """Whoever beats goes on without a database, which the next beat finds again."""
    from cakewalk.health.models import Heartbeat  # noqa: PLC0415 - Celery loads this before there are models

    try:
        Heartbeat.objects.beat(parts, now=timezone.now())
    except DatabaseError as error:
        log.warning("No sign of life could be written down (%s).", type(error).__name__)
    finally:
        connection.close()  # a process that is forked from this one must not share it


class Clock(Scheduler):  # type: ignore[misc]
    """Celery's own, which is heard from."""

    _beat_at = 0.0

    def tick(self, *args: Any, **kwargs: Any) -> float:
        if time.monotonic() - self._beat_at >= EVERY:
            from cakewalk.health.models import Part  # noqa: PLC0415

            self._beat_at = time.monotonic()
            beat([Part.CLOCK])
        seconds: float = super().tick(*args, **kwargs)
        return min(seconds, EVERY)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """One more says nothing that those do not which nobody has taken for an hour."""
        queue = self.app.amqp.router.route({}, entry.task)["queue"].name
        if waiting_in(queue) < MOST_WAITING:
            super().apply_entry(entry, producer=producer)


class Pulse(bootsteps.StartStopStep):  # type: ignore[misc]
    """A step of each worker's consumer: begins with each connection to the broker, and ends with it."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._timer: Any = None

    def start(self, consumer: Any) -> None:
        parts = _parts(consumer)
        beat(parts)
        self._timer = consumer.timer.call_repeatedly(EVERY, _beat_and_miss, (consumer.app, parts))

    def stop(self, consumer: Any) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    shutdown = stop


def _beat_and_miss(app: Any, parts: "list[Part]") -> None:
    """It is the clock that lets somebody look for trouble; that it is silent itself, workers notice."""
    from cakewalk.health.models import Heartbeat, Part  # noqa: PLC0415

    beat(parts)
    try:
        silent = Heartbeat.objects.silent(timezone.now()).filter(part=Part.CLOCK).exists()
        if silent:
            app.send_task("provisioning.alarms.tasks.look_for_trouble")
    except (DatabaseError, OperationalError) as error:
        log.warning("Whether the clock is alive is not known (%s).", type(error).__name__)
    finally:
        connection.close()


def _parts(consumer: Any) -> "list[Part]":
    from cakewalk.health.models import Part  # noqa: PLC0415

    of_queues = {"celery": Part.WORKER, "people": Part.PEOPLE_WORKER}
    return [of_queues[queue] for queue in consumer.app.amqp.queues.consume_from if queue in of_queues]
