"""Jobs whose message was lost or whose worker died: found, and free to be taken again."""

import os
import secrets
import socket
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import DatabaseError, InterfaceError, connection

from provisioning.models import ProvisioningJob

SENT_AGAIN_AFTER = timedelta(hours=1)
"""However many messages wait: a queue that is never empty must not hide that one of them was lost."""

ASK_EVERY = 2.0
"""Seconds between two tries to reach a database that is away."""


def worker_name() -> str:
    """Under which this process holds a job: where it runs, its process, and which of its jobs."""
    return f"{_place()}/{os.getpid()}/{secrets.token_hex(4)}"


def in_words(holder: str) -> str:
    """A worker's name for people: `process 4711 on box`."""
    place, number = _place_and_process(holder)
    machine = place.partition(" pid:[")[0]
    return f"process {number} on {machine}" if number.isdecimal() else holder


def _place() -> str:
    """This machine, and on Linux the container: process numbers mean nothing outside."""
    with suppress(OSError):
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    return socket.gethostname()


def _place_and_process(holder: str) -> tuple[str, str]:
    """What `worker_name` put together."""
    place, _, rest = holder.partition("/")
    return place, rest.partition("/")[0]


def lost_jobs(
    *, now: datetime, undelivered_after: timedelta, busy: Collection[str] = ()
) -> list[ProvisioningJob]:
    """The queued jobs that a worker must be told of again; those of dead workers are queued first.

    `busy`: scopes of which many messages wait. A job's own may be among them, and one more for every few
    seconds that no worker comes would bury the others.
    """
    running = ProvisioningJob.objects.filter(state=ProvisioningJob.State.RUNNING)
    taken_back = [job for job in running if take_back(job, now=now)]
    jobs = ProvisioningJob.objects.exclude(pk__in=[job.pk for job in taken_back])
    lost = jobs.undelivered(older_than=now - undelivered_after).exclude(scope__in=busy)
    lost |= jobs.undelivered(older_than=now - max(undelivered_after, SENT_AGAIN_AFTER)).filter(scope__in=busy)
    found = [*taken_back, *lost.order_by("pk")]
    ProvisioningJob.objects.filter(pk__in=[job.pk for job in found]).update(sent_at=now)
    return found


def take_back(job: ProvisioningJob, *, now: datetime) -> bool:
    """Queue a running job again if its worker has been silent for longer than its lease, or is no more."""
    return is_abandoned(job, now=now) and job.requeue()


def is_abandoned(job: ProvisioningJob, *, now: datetime) -> bool:
    """Whether a running job's lease has run out, or its worker is known to be no more."""
    if job.state != ProvisioningJob.State.RUNNING:
        return False
    silent = job.lease_expires_at is not None and job.lease_expires_at < now
    return silent or is_gone(job.holder)


def is_free(holder: str, lease_expires_at: datetime | None, *, now: datetime) -> bool:
    """Whether nobody is at work on what is done without a job, or whoever was is silent for longer than its
    lease, or is no more.
    """
    silent = lease_expires_at is None or lease_expires_at < now
    return silent or is_gone(holder)


def is_gone(holder: str) -> bool:
    """Whether the worker was a process here that has ended. Where that cannot be told, its lease decides."""
    place, number = _place_and_process(holder)
    if place != _place() or not number.isdecimal():
        return False
    try:
        os.kill(int(number), 0)  # sends nothing; says whether there is such a process
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False


def give_back_when_possible(job: ProvisioningJob, *, patience: float) -> bool:
    """Let go of a job whose database was lost, once that answers: else others wait for its lease to run out.

    False where it did not answer in `patience` seconds, or another worker has the job by now.
    """
    until = time.monotonic() + patience
    while time.monotonic() < until:
        try:
            connection.close()
            return job.give_back()
        except (DatabaseError, InterfaceError):
            time.sleep(ASK_EVERY)
    return False
