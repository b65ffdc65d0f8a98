"""A review as evidence: who decided what, when and why, what came of it, and a digest that it was frozen by.

The record, and so English, whoever looks.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from cakewalk.models import User
from provisioning.actions import Situation
from provisioning.models import Account, Action, ProvisioningJob
from provisioning.reviews.carrying_out import Key, key_of, key_of_action
from provisioning.reviews.models import Campaign, Item

COLUMNS = (
    "number",
    "account",
    "account_state",
    "account_role",
    "account_id",
    "person",
    "groups",
    "what",
    "name",
    "role",
    "given_by",
    "standing",
    "last_active",
    "reviewer",
    "decision",
    "reason",
    "decided_by",
    "decided_at",
    "changed_meanwhile",
    "outcome",
    "outcome_detail",
    "job",
    "done_at",
)


def names_of(campaign: Campaign, closed_by: User | None = None) -> dict[str, str]:
    """The users who had to do with it, as they are called now: a user may be renamed later. `closed_by`: who
    is about to close it.
    """
    lines = campaign.items.order_by().values_list
    users = {(pk, name) for pk, name in lines("reviewer", "reviewer__username").distinct()}
    users |= {(pk, name) for pk, name in lines("decided_by", "decided_by__username").distinct() if pk}
    staff = (campaign.default_reviewer, campaign.opened_by, campaign.closed_by, closed_by)
    users |= {(user.pk, user.get_username()) for user in staff if user}
    return {str(pk): name for pk, name in sorted(users)}


def names_with(numbers: Mapping[int, int]) -> dict[str, int]:
    """So many for each user, by name."""
    users = User.objects.filter(pk__in=numbers).order_by("username")
    return {user.get_username(): numbers[user.pk] for user in users}


def header(campaign: Campaign) -> dict[str, Any]:
    names = campaign.names or names_of(campaign)
    return {
        "review": campaign.name,
        "id": str(campaign.public_id),
        "integration": campaign.integration.name,
        "scope": campaign.scope,
        "state": campaign.state,
        "due_on": campaign.due_on.isoformat(),
        "default_reviewer": names.get(str(campaign.default_reviewer_id)),
        "read_at": _iso(campaign.read_at),
        "not_covered": campaign.not_covered,
        "opened_at": _iso(campaign.opened_at),
        "opened_by": names.get(str(campaign.opened_by_id)),
        "closed_at": _iso(campaign.closed_at),
        "closed_by": names.get(str(campaign.closed_by_id)),
        "close_reason": campaign.close_reason,
    }


def line(item: Item, names: Mapping[str, str]) -> dict[str, Any]:
    """What was shown, and what was said to it."""
    return {
        "number": item.seq,
        "account": item.email,
        "account_state": item.account_state,
        "account_role": item.account_role,
        "account_id": item.account_ref,
        "person": item.person_name,
        "groups": item.groups,
        "what": item.kind or "account",
        "name": item.entitlement_name,
        "id": item.entitlement_ref,
        "role": item.role,
        "given_by": item.given_by,
        "standing": item.standing,
        "last_active": _iso(item.last_active_at),
        "reviewer": names.get(str(item.reviewer_id)),
        "decision": item.decision or "undecided",
        "reason": item.reason,
        "decided_by": names.get(str(item.decided_by_id)),
        "decided_at": _iso(item.decided_at),
        "changed_meanwhile": item.meanwhile,
    }


def digest_of(campaign: Campaign, lines: Iterable[Item] | None = None) -> str:
    """SHA-256 over the head and each line, as canonical JSON, one to a line: anybody can check it, with what
    the JSON export holds. `lines`: all of them in order, where they are at hand.
    """
    names, found = campaign.names or names_of(campaign), hashlib.sha256()
    if lines is None:
        lines = campaign.items.order_by("seq").iterator(chunk_size=1000)
    found.update(_canonical(header(campaign)))
    for item in lines:
        found.update(_canonical(line(item, names)))
    return found.hexdigest()


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def is_altered(campaign: Campaign) -> bool:
    return bool(campaign.digest) and digest_of(campaign) != campaign.digest


def what_has_changed(item: Item, row: Account | None) -> str:
    """Since the line was shown, by the row of the account as it was last read."""
    if row is None:
        return "The account is not there any more."
    if row.state != item.account_state:
        return f"The account was {item.account_state}, and is {row.state} now."
    if row.person_id != item.person_id:
        return "The account is another person's now."
    if not item.kind:
        same = row.role == item.account_role
        return "" if same else f"Its role was {item.account_role}, and is {row.role} now."
    key = (item.kind, item.entitlement_ref)
    role = next((one["role"] for one in row.grants if (one["kind"], one["id"]) == key), None)
    if role is None:
        return f"It does not hold the {item.kind} any more."
    return "" if role == item.role else f"Its role there was {item.role}, and is {role} now."


# -- what came of it


def outcomes(campaign: Campaign, accounts: Collection[str] | None = None) -> dict[Key, Action]:
    """The last word of the review's jobs on each line, or on those of these accounts; a taking that was done
    stays.
    """
    found: dict[Key, Action] = {}
    jobs = campaign.jobs.values_list("pk", flat=True)
    rows = Action.objects.filter(job__in=list(jobs), situation=Situation.REVIEWED)
    if accounts is not None:
        rows = rows.filter(account_id__in=accounts)
    for row in rows.select_related("job").order_by("job_id", "seq"):
        before = found.get(key_of_action(row))
        if before is None or before.state != Action.State.DONE or before.kind == "report":
            found[key_of_action(row)] = row
    return found


def outcome_of(item: Item, found: Mapping[Key, Action]) -> Action | None:
    """Who lost the account lost what it held with it."""
    return found.get(key_of(item)) or found.get((item.account_ref, "", ""))


def outcome_word(item: Item, action: Action | None) -> str:
    """`done`, `held`, `refused`; `not taken` of what was not as the reviewer saw it any more."""
    if item.decision != Item.Decision.REVOKE:
        return ""
    if action is None:
        return "not carried out yet"
    return "not taken" if action.kind == "report" else action.state


def _outcome(item: Item, action: Action | None) -> dict[str, Any]:
    if item.decision != Item.Decision.REVOKE or action is None:
        return {"outcome": outcome_word(item, None), "outcome_detail": "", "job": None, "done_at": None}
    error = action.error or {}
    return {
        "outcome": outcome_word(item, action),
        "outcome_detail": error.get("detail") or action.detail,
        "job": action.job_id,
        "done_at": _iso(action.confirmed_at or action.finished_at) if action.state == "done" else None,
    }


def lines_with_outcomes(campaign: Campaign, items: QuerySet[Item]) -> Iterator[dict[str, Any]]:
    names, found = campaign.names or names_of(campaign), outcomes(campaign)
    for item in items.order_by("seq").iterator(chunk_size=1000):
        yield line(item, names) | _outcome(item, outcome_of(item, found))


def document(campaign: Campaign) -> dict[str, Any]:
    """Everything of one review."""
    lines = list(lines_with_outcomes(campaign, campaign.items.all()))
    return {**beginning(campaign), "lines": lines, "frozen": is_frozen(campaign)}


def beginning(campaign: Campaign) -> dict[str, Any]:
    """All but its lines, and what can be said of them once all are read."""
    return {**summary(campaign), "jobs": [_job(job) for job in _jobs(campaign)]}


def is_frozen(campaign: Campaign) -> bool | None:
    """Whether it is as it was when its digest was made; None where it has none yet."""
    return not is_altered(campaign) if campaign.digest else None


def summary(campaign: Campaign) -> dict[str, Any]:
    return {**header(campaign), "digest": campaign.digest or None, "numbers": numbers(campaign)}


def numbers(campaign: Campaign) -> dict[str, int]:
    counted = campaign.items.all().in_numbers()
    return {
        "lines": counted["all"],
        "kept": counted["keep"],
        "revoked": counted["revoke"],
        "undecided": counted["undecided"],
    }


def _jobs(campaign: Campaign) -> Iterable[ProvisioningJob]:
    return campaign.jobs.select_related("requested_by", "approved_by", "rejected_by").order_by("pk")


def _job(job: ProvisioningJob) -> dict[str, Any]:
    return {
        "job": job.pk,
        "state": job.state,
        "plan_digest": job.digest or None,
        "requested_by": _name(job.requested_by),
        "requested_at": _iso(job.requested_at),
        "approved_by": _name(job.approved_by),
        "approved_at": _iso(job.approved_at),
        "approval_reason": job.approval_reason,
        "rejected_by": _name(job.rejected_by),
        "rejection_reason": job.rejection_reason,
        "overrides": job.overrides,
        "finished_at": _iso(job.finished_at),
    }


def _name(user: Any) -> str | None:
    return user.get_username() if user else None


def cells(row: Mapping[str, Any]) -> Iterable[str]:
    return (_cell(row[column]) for column in COLUMNS)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is None else str(value)


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
