"""What the commands about jobs share: finding by name, running here, printing, exit statuses."""

import json
import sys
import time
from typing import Any

from django.core.management.base import CommandError, OutputWrapper
from django.utils import timezone

from cakewalk.bar import Bar
from cakewalk.models import User
from integrations.models import Integration
from provisioning import history
from provisioning.models import Action, ProvisioningJob
from provisioning.progress import step_of

USAGE = 2
HELD_OR_REFUSED = 3

State = ProvisioningJob.State
EXIT_STATUS = {
    State.SUCCEEDED: 0,
    State.REFUSED: HELD_OR_REFUSED,
    State.AWAITING_APPROVAL: HELD_OR_REFUSED,
    State.FAILED: 4,
    State.CANCELLED: 4,
    State.INCONCLUSIVE: 5,
    State.PARTIAL: 6,
}


def wrong_usage(message: str) -> CommandError:
    return CommandError(message, returncode=USAGE)


def integration_named(name: str) -> Integration:
    found = Integration.objects.filter(name__iexact=name).first()
    if found is None:
        known = ", ".join(Integration.objects.order_by("name").values_list("name", flat=True))
        raise wrong_usage(f"There is no integration named {name!r}. There are: {known or 'none yet'}.")
    return found


def the_integration(name: str | None) -> Integration:
    """The named one; without a name, the only one there is."""
    if name:
        return integration_named(name)
    found = list(Integration.objects.all()[:2])
    if len(found) != 1:
        raise wrong_usage(
            "Say which one with --integration NAME." if found else "There is no integration yet."
        )
    return found[0]


def job_numbered(number: int) -> ProvisioningJob:
    found = ProvisioningJob.objects.select_related("integration").filter(pk=number).first()
    if found is None:
        raise wrong_usage(f"There is no job {number}. `jobs` lists them.")
    return found


def user_named(username: str) -> User:
    found = User.objects.filter(username=username).first()
    if found is None:
        raise wrong_usage(f"There is no user named {username!r}.")
    return found


def run_here(job: ProvisioningJob, err: OutputWrapper) -> None:
    """Carry the job out in this process, or wait for the worker that has it; take over from one that died."""
    # Half of what a command is made of, and most only look.
    from provisioning import reconciliation, recovering  # noqa: PLC0415

    job.refresh_from_db()
    expected = history.items_of_last_read(job.integration)
    with Bar(err, plain=True) as bar:

        def say(said: str) -> None:
            step = step_of(said, expected)
            bar.step(step.doing, step.done, step.total, line=said)

        while job.state in ProvisioningJob.LIVE:
            recovering.take_back(job, now=timezone.now())
            reconciliation.run(job.pk, say=say)
            job.refresh_from_db()
            if job.state in ProvisioningJob.LIVE:
                time.sleep(0.2)
                job.refresh_from_db()


def exit_status(job: ProvisioningJob) -> int:
    """By the job's state; a preview that shows something held or refused is not a clean one."""
    held_or_refused = (Action.State.HELD, Action.State.REFUSED)
    if job.state == State.SUCCEEDED and job.actions.filter(state__in=held_or_refused).exists():
        return HELD_OR_REFUSED
    return EXIT_STATUS[State(job.state)]


def end_with(job: ProvisioningJob, out: OutputWrapper, *, as_json: bool) -> None:
    """Print the job and leave with its exit status."""
    print_job(job, out, as_json=as_json)
    if status := exit_status(job):
        sys.exit(status)


def print_job(job: ProvisioningJob, out: OutputWrapper, *, as_json: bool) -> None:
    document = history.job_document(job)
    if as_json:
        print_json(document, out)
        return
    out.write(headline(document))
    if lease := document["lease"]:
        out.write(f"  held by {lease['holder']} since {lease['since']}, until {lease['expires_at']}")
    for reason in [document["refusal"], document["error"], *document["holds"]]:
        if reason:
            out.write(f"  {reason['code']}: {reason['detail']}")
    for doubt in document["read"]["doubts"]:
        out.write(f"  doubt: {doubt}")
    for action in document["actions"]:
        out.write(f"  {_line(action)}")


def print_json(document: Any, out: OutputWrapper) -> None:
    out.write(json.dumps(document, ensure_ascii=False, indent=2))


def headline(document: dict[str, Any]) -> str:
    what = "preview" if document["preview"] else "sync"
    if document["restores"]:
        what = f"restore of job {document['restores']}"
    if document["reviews"]:
        what = f"access review {document['reviews']}"
    where = document["integration"]
    if document["scope"] == ProvisioningJob.Scope.PEOPLE:
        where += " for some people"
    counted = ", ".join(f"{number} {name}" for name, number in document["counts"].items() if number)
    state = document["state"].replace("_", " ")
    return f"Job {document['job']}, {what} of {where}: {state}; {counted or 'nothing to do'}."


def _line(action: dict[str, Any]) -> str:
    held = action["entitlement"]
    on = f" on {held['kind']} {held['name']}" if held else ""
    role = f" as {action['role']}" if action["role"] else ""
    why = "; ".join(text for text in (action["rule"], action["detail"]) if text)
    error = f" [{action['error']['code']}: {action['error']['detail']}]" if action["error"] else ""
    who = action["email"] or action["account_id"] or ""
    what = f"{action['kind'].replace('_', ' ')} {who}{on}{role}"
    return f"{action['seq']:>4} {action['state']:<8} {what} ({action['situation']}: {why}){error}"
