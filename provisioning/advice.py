"""What to do about each refusal, hold and error: one sentence, and the place where it is done."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Place(StrEnum):
    """Where staff do something about it."""

    INTEGRATION = "integration"
    CREDENTIAL = "credential"
    RULES = "rules"
    MARKS = "marks"
    SOURCES = "sources"
    ACCOUNTS = "accounts"
    KEYS = "keys"
    HELD = "held"
    PLAN = "plan"
    WAITING = "waiting"
    NEWER = "newer"


class Advice(NamedTuple):
    sentence: str | Promise
    place: Place


LOOK_AND_DECIDE = _(
    "Look at each held line and why it is there. Approve if it is right; if not, reject it and put the "
    "directory or the rules right."
)
RUN_AGAIN = _("Run it again for a plan of what is so now.")

ADVICE: Mapping[str, Advice] = {
    "directory_empty": Advice(
        _("Bring your people in again, by a file or by their source, and run it again."), Place.SOURCES
    ),
    "older_state": Advice(
        _("Run `after_restore` and do what it says, so that nobody who has left since is let in again."),
        Place.INTEGRATION,
    ),
    "source_shrunk": Advice(
        _("If so many have left, accept the new size on the source; if not, repair the source."),
        Place.SOURCES,
    ),
    "read_incomplete": Advice(
        _("Nothing is lost: the next sync reads everything anew. If it comes again, test the connection."),
        Place.INTEGRATION,
    ),
    "last_owner": Advice(
        _("Make somebody else an owner first, by a rule that gives the owner's role."), Place.RULES
    ),
    "credential_owner": Advice(
        _("Replace the key by one of another owner; the next sync goes on with it."), Place.CREDENTIAL
    ),
    "protected": Advice(_("Lift the mark if the account may be touched."), Place.MARKS),
    "orphaned_owner": Advice(
        _("Link the account to its person, or remove it by hand in the organization."), Place.ACCOUNTS
    ),
    "removal_limit": Advice(LOOK_AND_DECIDE, Place.HELD),
    "first_removals": Advice(LOOK_AND_DECIDE, Place.HELD),
    "restore": Advice(LOOK_AND_DECIDE, Place.HELD),
    "access_review": Advice(
        _(
            "Look at each held line and who revoked it why. Approve if it is right; if not, reject it: the "
            "access stays, and the review tells so."
        ),
        Place.HELD,
    ),
    "accounts_vanished": Advice(
        _("Find out who removed these members in the organization before anything is approved."),
        Place.ACCOUNTS,
    ),
    "mode": Advice(_("Raise the integration's mode if it may do this."), Place.INTEGRATION),
    "needs_another": Advice(_("See to the line that it needs; the next sync plans both again."), Place.PLAN),
    "proposed": Advice(_("Activate the rule if it is to be carried out."), Place.RULES),
    "already_so": Advice(_("Nothing is to be done: it was so already."), Place.ACCOUNTS),
    "awaiting_approval": Advice(_("An approver decides it in the job that waits."), Place.WAITING),
    "stopped": Advice(
        _("The next sync plans it anew. What stopped the job is told above."), Place.INTEGRATION
    ),
    "cancelled": Advice(RUN_AGAIN, Place.INTEGRATION),
    "not_approved": Advice(
        _("Put the directory or the rules right, or leave the account alone for a while."), Place.MARKS
    ),
    "superseded": Advice(_("Look at the newer plan."), Place.NEWER),
    "expired": Advice(RUN_AGAIN, Place.INTEGRATION),
    "stale": Advice(
        _("Somebody changed it meanwhile. The next sync decides anew; sync now to have it at once."),
        Place.INTEGRATION,
    ),
    "rejected": Advice(
        _("The organization does not take it, and its answer says why. Put that right in the rule or there."),
        Place.RULES,
    ),
    "unreachable": Advice(
        _("The organization could not be reached. The next sync tries again; if it lasts, test the key."),
        Place.INTEGRATION,
    ),
    "rate_limited": Advice(
        _("The organization limits calls. The next sync goes on; a longer interval leaves it more room."),
        Place.INTEGRATION,
    ),
    "credential_rejected": Advice(_("Paste a key that works."), Place.CREDENTIAL),
    "permission_missing": Advice(
        _("Make an admin key that may do what is named here, and replace this one by it."), Place.CREDENTIAL
    ),
    "credential_missing": Advice(_("Paste the admin key."), Place.CREDENTIAL),
    "credential_unreadable": Advice(
        _("Put the former key back into FERNET_KEYS, or paste the admin key anew."), Place.CREDENTIAL
    ),
    "not_enabled": Advice(_("Enable the integration, and run it again."), Place.INTEGRATION),
    "internal": Advice(
        _("Run it again. If it comes again, hand the worker's log to whoever maintains Cakewalk."),
        Place.INTEGRATION,
    ),
    "plan_altered": Advice(
        _("Somebody changed stored lines outside Cakewalk. Find out who, and run it again."),
        Place.INTEGRATION,
    ),
    "not_swept": Advice(
        _("The next job looks for them again; until then, see the keys as last seen."), Place.KEYS
    ),
    "not_verified": Advice(_("Run it again: a new read shows what came of it."), Place.INTEGRATION),
    "outcome_unknown": Advice(_("Run it again: a new read shows what came of it."), Place.INTEGRATION),
    "not_confirmed": Advice(
        _("Some changes show late. The next sync looks again, and repeats what is missing."), Place.ACCOUNTS
    ),
    "failed": Advice(
        _("The next sync tries again. If it comes again, test the connection."), Place.INTEGRATION
    ),
}
