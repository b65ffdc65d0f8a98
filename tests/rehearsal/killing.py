"""What is killed, how, and what came of it."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.rehearsal.company import Company
from tests.rehearsal.pieces import cut_power
from tests.rehearsal.production import Production, seconds_until

IN_STEP_WITHIN = 150.0


@dataclass(frozen=True)
class Blow:
    """`strike` hits; `mid_change` waits first until a worker is in the midst of changing something."""

    what: str
    how: str
    strike: Callable[[Production], object]
    mid_change: bool = False
    short: bool = False
    """Also in the short form, which continuous integration runs."""


@dataclass(frozen=True)
class Outcome:
    """`back`: seconds until requests were answered, 0 where they always were. `in_step`: seconds from the
    blow until the organization showed everything that Cakewalk had said yes to, with people coming and
    going until a moment before.
    """

    blow: Blow
    back: float | None
    in_step: float | None
    told: int
    asked_again: int
    not_done: tuple[str, ...]


def _kill(name: str) -> Callable[[Production], object]:
    return lambda production: production.pieces[name].kill()


def _kill_a_child(name: str) -> Callable[[Production], object]:
    return lambda production: os.kill(production.pieces[name].children()[0], signal.SIGKILL)


def _at_work(production: Production) -> int:
    """The process that holds the job which stands still."""
    holders = production.rows("SELECT holder FROM provisioning_provisioningjob WHERE state = 'running'")
    return int(holders[0][0].split("/")[1])


def _kill_the_process_at_work(production: Production) -> None:
    os.kill(_at_work(production), signal.SIGKILL)


def _kill_who_works(production: Production) -> None:
    pid = _at_work(production)
    [worker] = [piece for piece in production.pieces.values() if pid in piece.children()]
    worker.kill()


def _restart(name: str) -> Callable[[Production], object]:
    return lambda production: production.pieces[name].restart()


def _signal(name: str, number: int) -> Callable[[Production], object]:
    return lambda production: production.pieces[name].signal(number)


def _power_cut(production: Production) -> None:
    cut_power(list(production.pieces.values()))
    time.sleep(3)
    for piece in production.pieces.values():
        piece.release()


def _upgraded(production: Production) -> None:
    """As docs/deploy.md has it: the web server is reloaded, all else is started anew."""
    for name in ("beat", "worker-people", "worker"):
        production.pieces[name].restart()
    production.pieces["web"].signal(signal.SIGHUP)


BLOWS = (
    Blow("the worker at work", "SIGKILL in mid-change", _kill_who_works, mid_change=True, short=True),
    Blow("its process at work", "SIGKILL in mid-change", _kill_the_process_at_work, mid_change=True),
    Blow("worker", "SIGKILL", _kill("worker")),
    Blow("worker for people", "SIGKILL", _kill("worker-people")),
    Blow("beat", "SIGKILL", _kill("beat")),
    Blow("gunicorn's worker", "SIGKILL", _kill_a_child("web")),
    Blow("gunicorn", "SIGKILL", _kill("web"), short=True),
    Blow("nginx", "SIGKILL", _kill("nginx")),
    Blow("Redis, with all it held", "SIGKILL in mid-change", _kill("redis"), mid_change=True, short=True),
    Blow("PostgreSQL", "SIGKILL in mid-change", _kill("postgres"), mid_change=True),
    Blow("PostgreSQL", "immediate shutdown", _signal("postgres", signal.SIGQUIT)),
    Blow("everything (power cut)", "SIGKILL in mid-change", _power_cut, mid_change=True, short=True),
    Blow("gunicorn", "restart (SIGTERM)", _restart("web")),
    Blow("nginx", "restart (SIGQUIT)", _restart("nginx")),
    Blow("PostgreSQL", "restart (fast)", _restart("postgres")),
    Blow("all four units", "as an upgrade does", _upgraded, mid_change=True, short=True),
)


def endure(blow: Blow, production: Production, company: Company) -> Outcome:
    """While people come and go: hit, wait until pages are served, and then until all is in step."""
    told, refused = company.told(), company.refused.total()
    company.begin()
    time.sleep(1.5)
    if blow.mid_change:
        company.newsroom.stand_still()
        company.newsroom.reached.wait(40)
    began = time.monotonic()
    threading.Timer(1.0, company.newsroom.go_on).start()
    blow.strike(production)
    back = seconds_until(company.is_served, 90)
    time.sleep(2.0)
    company.pause()
    company.seconds_until_in_step(IN_STEP_WITHIN)
    took = time.monotonic() - began
    not_done = tuple(company.not_done())
    return Outcome(
        blow,
        back=back,
        in_step=None if not_done else took,
        told=company.told() - told,
        asked_again=company.refused.total() - refused,
        not_done=not_done,
    )


LIVE = "SELECT id, state FROM provisioning_provisioningjob WHERE state IN ('queued', 'running')"
OPEN = """
SELECT job_id, kind, email, action.state FROM provisioning_action action
JOIN provisioning_provisioningjob job ON job.id = job_id
WHERE NOT job.preview AND (action.state = 'started' OR (action.state IN ('done') AND confirmed_at IS NULL))
"""
FAILED = "SELECT id, state, error::text FROM provisioning_provisioningjob WHERE state = 'failed'"


def lost(production: Production, company: Company) -> list[str]:
    """Sentences of what is not as it must be, once all is in step again. None, it is to be hoped."""
    found = company.not_done()
    found += company.not_once()
    found += [f"Job {job} is still {state}." for job, state in production.rows(LIVE)]
    found += [f"Job {job}: {kind} {email} is {state}." for job, kind, email, state in production.rows(OPEN)]
    found += [f"Job {job} {state}: {error}" for job, state, error in production.rows(FAILED)]
    verified = production.document("history", "verify", seconds=120)
    found += [f"The ledger: {wrong['detail']}" for wrong in verified["breaks"]]
    found += [
        f"{name} did not end in {piece.recipe.stop_seconds:.0f} s when it was told to."
        for name, piece in production.pieces.items()
        if piece.overdue
    ]
    return found
