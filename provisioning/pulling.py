"""Pull a source: ask its server for everybody, let the directory follow, and look at whoever changed."""

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone

from cakewalk.ledger.actors import Actor, Kind, acting
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from directory import importing
from directory.import_plan import ImportPlan, Options
from directory.importing import DirectoryChanged
from directory.ldap.entries import Inconclusive
from directory.models import LdapServer, Pull, Source
from directory.people_table import Problem
from directory.progress import Progress, silent
from provisioning import requesting

if TYPE_CHECKING:
    from directory.ldap.asking import Answer

log = logging.getLogger(__name__)

Outcome = Pull.Outcome
ASKING = "Asking the server"


class AtWork(Exception):
    """Another process is pulling the source."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What came of it; without an answer, the plan holds the reason as its error."""

    plan: ImportPlan
    outcome: str
    read: dict[str, int] = field(default_factory=dict)

    @property
    def detail(self) -> str:
        return "\n".join(map(str, self.plan.problems[:20]))


def request_pull(server: LdapServer) -> None:
    """Soon, by a worker: the clock finds it."""
    server.ask(now=timezone.now())


def due_pulls(now: datetime) -> list[int]:
    return list(LdapServer.objects.due(now).order_by("pk").values_list("pk", flat=True))


def pull_if_due(server_id: int) -> None:
    server = LdapServer.objects.defer("password").get(pk=server_id)
    if server.claim(now=timezone.now(), only_if_due=True):
        with acting(Actor(Kind.SOURCE, f"LDAP server of {server.source}")):
            _pull(server, allow_drop=False)


def pull(server: LdapServer, *, allow_drop: bool = False, tell: Progress = silent) -> Pulled:
    """At once, in this process. Raises AtWork."""
    if not server.claim(now=timezone.now()):
        raise AtWork(f"{server.source} is being pulled already.")
    return _pull(server, allow_drop=allow_drop, tell=tell)


def preview(server: LdapServer, *, tell: Progress = silent) -> Pulled:
    """What a pull would do now. Writes nothing."""
    now, options = timezone.now(), _options(server)
    tell(ASKING, 0)
    try:
        answer = _ask(server, now=now)
    except Inconclusive as error:
        return _nothing(server, Outcome.INCONCLUSIVE, str(error))
    plan = importing.preview_reading(server.url, answer.reading, options, now=now, tell=tell)
    return Pulled(plan, Outcome.DONE if plan.acceptable else Outcome.REFUSED, _read(answer))


def _pull(server: LdapServer, *, allow_drop: bool, tell: Progress = silent) -> Pulled:
    began = timezone.now()
    pulled = _nothing(server, Outcome.FAILED, "It ended before its end.")
    try:
        pulled = _carried_out(server, replace(_options(server), allow_drop=allow_drop), tell, now=began)
    except Exception as error:
        # A defect of ours. Its text may hold anything, so only its name is kept where people can read it.
        log.exception("The pull of %s failed.", server.source)
        detail = f"An error in Cakewalk itself: {type(error).__name__}. The worker's log has more."
        pulled = _nothing(server, Outcome.FAILED, detail)
    finally:
        _remember(server, pulled, began=began)
    return pulled


def _carried_out(server: LdapServer, options: Options, tell: Progress, *, now: datetime) -> Pulled:
    tell(ASKING, 0)
    try:
        answer = _ask(server, now=now)
        with together():
            plan = _imported(server, answer, options, tell, now=now)
            requesting.people_changed(plan.people)
    except Inconclusive as error:
        return _nothing(server, Outcome.INCONCLUSIVE, str(error))
    except DirectoryChanged as error:
        return _nothing(server, Outcome.FAILED, f"{error} The next pull does.")
    return Pulled(plan, Outcome.DONE if plan.applied else Outcome.REFUSED, _read(answer))


def _ask(server: LdapServer, *, now: datetime) -> "Answer":
    from directory.ldap.asking import ask  # noqa: PLC0415 - with ldap3, which few workers ever need

    return ask(server.pk, now=now)


def _imported(
    server: LdapServer, answer: "Answer", options: Options, tell: Progress, *, now: datetime
) -> ImportPlan:
    plan = importing.import_reading(server.url, answer.reading, options, now=now, tell=tell)
    if plan.refusal and _is_accepted(server, plan):
        accepted = replace(options, allow_drop=True)
        plan = importing.import_reading(server.url, answer.reading, accepted, now=now, tell=tell)
    return plan


def _is_accepted(server: LdapServer, plan: ImportPlan) -> bool:
    """Whether a person accepted the smaller size after the last pull was refused for it; and not less."""
    last = server.source.pulls.order_by("-pk").first()
    accepted_at = Source.objects.get(pk=server.source_id).drop_allowed_at
    if last is None or accepted_at is None or last.outcome != Outcome.REFUSED:
        return False
    return accepted_at > last.finished_at and plan.dropped <= last.dropped


def _options(server: LdapServer) -> Options:
    return Options(server.source.name, replace=True, kind=Source.Kind.LDAP)


def _nothing(server: LdapServer, outcome: str, detail: str) -> Pulled:
    problem = Problem(None, None, detail)
    return Pulled(ImportPlan(server.url, _options(server), errors=[problem]), outcome)


def _read(answer: "Answer") -> dict[str, int]:
    return {"people": answer.reading.rows, "groups": answer.groups, "pages": answer.pages}


def _remember(server: LdapServer, pulled: Pulled, *, began: datetime) -> None:
    plan, now = pulled.plan, timezone.now()
    changed = {
        "added": len(plan.added),
        "changed": len(plan.changed),
        "deactivated": len(plan.deactivated),
        "unchanged": plan.unchanged,
        "untouched": plan.untouched,
    }
    with together():
        Pull.objects.create(
            source_id=server.source_id,
            began_at=began,
            finished_at=now,
            outcome=pulled.outcome,
            counts=pulled.read | changed if pulled.read else {},
            dropped=plan.dropped,
            detail=pulled.detail,
            warnings=plan.warnings[:20],
        )
        Pull.objects.forget_old(server.source_id)
        server.let_go(began=began, went_well=pulled.outcome == Outcome.DONE, now=now)
        if pulled.outcome != Outcome.DONE:  # or else the import has told
            why = {"outcome": pulled.outcome, "why": pulled.detail}
            record(Verb.PULL_FAILED, server.source, facts={"server": server.url, **why, **pulled.read})
