"""Everything that the ledger tells of. The value is what stands in an entry; the label is for pages."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Verb(models.TextChoices):
    # Rows of every kind, field by field
    ADDED = "row.added", _("Added")
    CHANGED = "row.changed", _("Changed")
    DELETED = "row.deleted", _("Deleted")

    # The life of a job
    JOB_REQUESTED = "job.requested", _("Job requested")
    JOB_CLAIMED = "job.claimed", _("Job taken by a worker")
    JOB_GIVEN_BACK = "job.given_back", _("Job given back by its worker")
    JOB_TAKEN_BACK = "job.taken_back", _("Job taken from a silent worker")
    JOB_RELEASED = "job.released", _("Job released by hand")
    JOB_PLANNED = "job.planned", _("Plan stored")
    JOB_SWEPT = "job.swept", _("What leavers left behind listed")
    JOB_OVERRIDDEN = "job.overridden", _("Part of what holds a plan overridden")
    JOB_APPROVED = "job.approved", _("Plan approved")
    JOB_REJECTED = "job.rejected", _("Plan rejected")
    JOB_EXPIRED = "job.expired", _("Plan expired")
    JOB_SUPERSEDED = "job.superseded", _("Plan replaced by a newer one")
    JOB_CANCELLED = "job.cancelled", _("Job cancelled")
    JOB_HELD = "job.held", _("Plan held for approval")
    JOB_ENDED = "job.ended", _("Job ended")
    JOB_ANSWERED = "job.answered", _("Open questions of an ended job answered")

    # What a job does, line by line
    ACTION_STARTED = "action.started", _("Action started")
    ACTION_UNANSWERED = "action.unanswered", _("Action got no reply")
    ACTION_PLANNED_AGAIN = "action.planned_again", _("Action without effect planned again")
    ACTION_DONE = "action.done", _("Action done")
    ACTION_FAILED = "action.failed", _("Action failed")
    ACTION_REFUSED = "action.refused", _("Action refused")
    ACTION_STALE = "action.stale", _("Action stale")
    ACTION_SKIPPED = "action.skipped", _("Action skipped")
    ACTION_CONFIRMED = "action.confirmed", _("Action confirmed by a read")
    ACTION_NOT_SEEN = "action.not_seen", _("Action done, and not seen yet")

    # Whose an account is
    LINKED = "account.linked", _("Account linked by hand")
    UNLINKED = "account.unlinked", _("Link by hand taken back")

    # Alarms and how they are told
    ALARM_OPENED = "alarm.opened", _("Alarm opened")
    ALARM_CLOSED = "alarm.closed", _("Alarm over")
    CHANNEL_TESTED = "channel.tested", _("Channel tested")
    MESSAGE_REPLAYED = "message.replayed", _("Message sent again")

    # What went because it was old, after it was written into a file
    LEDGER_PRUNED = "ledger.pruned", _("Ledger entries pruned")
    HISTORY_PRUNED = "history.pruned", _("History pruned")

    # What became of the database itself
    RESTORED = "database.restored", _("Older state of the database restored")

    # Evidence
    EVIDENCE_ASKED = "evidence.asked", _("Asked for an evidence pack")
    EVIDENCE_MADE = "evidence.made", _("Evidence pack made")
    EVIDENCE_TAKEN = "evidence.downloaded", _("Evidence pack downloaded")

    # What leaves as a file
    EXPORT_BEGUN = "export.begun", _("Export begun")
    EXPORTED = "export.ended", _("Exported")

    # Access reviews, and the exceptions that come of them
    REVIEW_ASKED = "review.asked", _("Review: asked to open, hand over, finish or cancel")
    REVIEW_STOPPED = "review.stopped", _("Review: what was asked for was not done")
    REVIEW_OPENED = "review.opened", _("Review opened")
    REVIEW_DECIDED = "review.decided", _("Review: decided")
    REVIEW_HANDED_OVER = "review.handed_over", _("Review: handed over")
    REVIEW_REMINDED = "review.reminded", _("Review: reminded")
    REVIEW_FINISHED = "review.finished", _("Review finished")
    REVIEW_CANCELLED = "review.cancelled", _("Review cancelled")
    REVIEW_CARRIED_OUT = "review.carried_out", _("Review: job asked for")
    EXCEPTION_PLANNED = "exception.planned", _("Exception planned")
    EXCEPTION_LIFTED = "exception.lifted", _("Exception lifted")

    # Who signs in
    SIGNED_IN = "user.signed_in", _("Signed in")
    SIGN_IN_FAILED = "user.sign_in_failed", _("Sign-in failed")
    SHUT_OUT = "user.shut_out", _("Shut out after too many failures")
    UNLOCKED = "user.unlocked", _("Let in again after being shut out")
    SIGNED_OUT = "user.signed_out", _("Signed out")
    SIGNED_OUT_EVERYWHERE = "user.signed_out_everywhere", _("Signed out everywhere")
    IDENTITY_LINKED = "user.identity_linked", _("Linked with single sign-on")
    ROLES_FOLLOWED = "user.roles_followed", _("Roles as single sign-on says")
    SECOND_FACTOR_SET = "user.second_factor_set", _("Second factor set up")
    SECOND_FACTOR_REMOVED = "user.second_factor_removed", _("Second factor removed")
    BACKUP_CODES_RENEWED = "user.backup_codes_renewed", _("Backup codes renewed")
    BACKUP_CODE_USED = "user.backup_code_used", _("Backup code used")
    CONFIRMED = "user.confirmed", _("Showed again who they are")
    PASSWORD_SET = "user.password_set", _("Password set")

    # The directory
    PEOPLE_CHANGED = "people.changed", _("Several people changed")
    PEOPLE_IMPORTED = "people.imported", _("People imported")
    FILE_UPLOADED = "people.file_uploaded", _("File of people uploaded")
    IMPORT_ASKED = "people.import_asked", _("Import of a file asked for")
    PULL_ASKED = "source.pull_asked", _("Pull asked for")
    PULL_FAILED = "source.pull_failed", _("Pulled, and nothing changed")
    SIZE_ACCEPTED = "source.size_accepted", _("Smaller size of a source accepted")
    TOKEN_ISSUED = "source.token_issued", _("Token issued")
    TOKEN_REVOKED = "source.token_revoked", _("Old token revoked")
    HANDED_OVER = "conflict.handed_over", _("Person handed over")
    DISMISSED = "conflict.dismissed", _("Conflict dismissed")

    # Integrations and their credentials
    ENABLED = "integration.enabled", _("Enabled")
    DISABLED = "integration.disabled", _("Disabled")
    PAUSED = "integration.paused", _("Paused, as its key was rejected")
    RESUMED = "integration.resumed", _("No longer paused")
    CREDENTIAL_ENTERED = "credential.entered", _("Credential entered")
    CREDENTIAL_TESTED = "credential.tested", _("Credential tested")
    CREDENTIAL_READ = "credential.read", _("Credential read for use")
    CREDENTIAL_ROTATED = "credential.rotated", _("Rotation of the credential, one step")
    REKEY_BEGUN = "secrets.rekey_begun", _("Re-encryption of secrets begun")
    REKEYED = "secrets.rekeyed", _("Secrets re-encrypted")
    LINK_MADE = "key_link.made", _("One-time link made")
    LINK_OPENED = "key_link.opened", _("One-time link opened")
    LINK_TRIED = "key_link.tried", _("Key refused that came through a one-time link")
    LINK_USED = "key_link.used", _("One-time link used")
    LINK_REVOKED = "key_link.revoked", _("One-time link revoked")
