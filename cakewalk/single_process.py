"""Web server, worker and clock in one process, for a first look and for small installations.

Celery's thread pool knows no time limits, and the in-memory broker forgets its messages. Neither matters:
calls have deadlines of their own, and a job's row outlives its message (docs/how-a-job-works.md).
"""

import threading
import time
from typing import Any

import celery.worker.state
from celery import Celery
from celery.beat import EmbeddedService
from waitress import create_server

from cakewalk import stopping
from cakewalk.celery import app, new_app
from cakewalk.wsgi import application

WEB_THREADS = 8
LARGEST_BODY = 40 * 1024 * 1024
"""A little more than any page takes, so that it is they who say no."""
JOBS_AT_ONCE = 4
PATIENCE_SECONDS = 20.0
"""How long a stop waits for the jobs in hand. What is not finished then is taken up at the next start."""


class SingleProcess:
    """start() after stop() is not foreseen. Raises OSError at once where the port is taken."""

    def __init__(self, port: int) -> None:
        self._web = create_server(
            application,
            host="127.0.0.1",
            port=port,
            threads=WEB_THREADS,
            max_request_body_size=LARGEST_BODY,
            clear_untrusted_proxy_headers=False,  # whom to believe is known to cakewalk.proxies
        )
        self._clock = EmbeddedService(
            app,
            thread=True,  # in a process of its own it would have a broker of its own
            scheduler_cls=app.conf.beat_scheduler,
        )
        workers = {
            "worker": _worker(app, JOBS_AT_ONCE),
            # However many syncs of everyone are at work, a leaver finds a free hand.
            "worker for people": _worker(new_app(set_as_current=False), JOBS_AT_ONCE, queues=["people"]),
        }
        self._workers = [
            threading.Thread(target=worker.start, name=name, daemon=True) for name, worker in workers.items()
        ]
        web = threading.Thread(target=self._web.run, name="web", daemon=True)
        self._threads = [web, *self._workers, self._clock]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    @property
    def stopped(self) -> list[str]:
        """The names of the parts that have ended by themselves, which none of them should."""
        return [thread.name for thread in self._threads if not thread.is_alive()]

    def stop(self) -> None:
        """No new jobs and no new answers; what is in hand may end."""
        stopping.ask()
        self._clock.stop()
        celery.worker.state.should_stop = 0
        self._web.task_dispatcher.shutdown()
        patient_until = time.monotonic() + PATIENCE_SECONDS
        for thread in self._workers:
            thread.join(max(0.0, patient_until - time.monotonic()))


def _worker(of: Celery, jobs_at_once: int, **more: Any) -> Any:
    return of.WorkController(
        pool="threads",
        concurrency=jobs_at_once,
        without_heartbeat=True,
        without_mingle=True,
        without_gossip=True,
        **more,
    )
