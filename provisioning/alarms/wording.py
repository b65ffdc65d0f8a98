"""What to do about each cause: one sentence, in the language of whoever reads it."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from cakewalk.documents.anchors import slug
from provisioning.advice import ADVICE
from provisioning.alarms.models import Alarm

ADVICE_FOR: Mapping[str, Promise] = {
    "key_expired": _("Enter another key with Replace credential."),
    "key_expires": _("Rotate the key before that day, or enter another one with Replace credential."),
    "key_old": _("Rotate the key."),
    "key_used_elsewhere": _("Find out who used it, and rotate the key."),
    "key_owner_leaves": _("Let another owner make a key, and enter it with Replace credential."),
    "rotation_stopped": _("Look at the integration's page: Rotate key goes on with it."),
    "paused": _("Enter a key that works with Replace credential. Until then, no sync starts by itself."),
    "no_sync": _("Look at the integration's last jobs, and at whether its clock and workers run. Sync now."),
    "no_request": _("See whether the identity provider still provisions, and whether its token is in place."),
    "pull_failed": _("See the last pull for the reason, put it right and pull again."),
    "no_pull": _("See whether the clock and a worker run, and pull by hand."),
    "ledger_broken": _(
        "Keep a copy of the database as it is. The command history verify says where the chain breaks."
    ),
    "secret_unreadable": _(
        "Put the key that wrote it back into FERNET_KEYS and restart every process, or enter the secret "
        "again. The command rekey --check names every one."
    ),
    "part_silent": _("See whether its process runs, and start it. Its log says why it ended."),
    "test": _("Nothing: somebody tries whether this channel works."),
}
BY_CAUSE: Mapping[str, Promise] = {
    "held": _("An approver looks at each held line, and approves or rejects the plan."),
    "sync_failed": _("Open the job: it says what went wrong, and what to do."),
    "sync_partial": _("Open the job: each line that was not done says why, and what to do."),
}
"""Where the code says no more."""


def anchor_of(cause: str) -> str:
    """The section about it in docs/runbook.md, whose headings are in English."""
    with override("en"):
        return slug(str(Alarm.Cause(cause).label))


def advice(cause: str, code: str) -> str:
    if code in ADVICE_FOR:
        return str(ADVICE_FOR[code])
    if cause == "held" or code not in ADVICE:
        return str(BY_CAUSE.get(cause, ""))
    return str(ADVICE[code].sentence)
