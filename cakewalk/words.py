"""How the models and what they hold are called on pages: Django takes it from the code, unmarked."""

from typing import Any

from django.apps import apps
from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy
from django.utils.translation import gettext_noop as _

OURS = ("alarms", "cakewalk", "directory", "evidence", "integrations", "provisioning", "reviews")

WORDS = (
    _("LDAP servers"),
    _("StartTLS"),
    _("access rule"),
    _("access rules"),
    _("account"),
    _("account id"),
    _("accounts"),
    _("action"),
    _("actions"),
    _("active"),
    _("address"),
    _("alarm"),
    _("alarms"),
    _("aliases"),
    _("answer"),
    _("applied at"),
    _("approval reason"),
    _("approved at"),
    _("approved by"),
    _("asked by"),
    _("attempts"),
    _("attributes"),
    _("cancel reason"),
    _("cancelled by"),
    _("cause"),
    _("causes"),
    _("channel"),
    _("channels"),
    _("closed at"),
    _("confirmed at"),
    _("conflict"),
    _("conflicts"),
    _("corroborated"),
    _("date watch"),
    _("default reviewer"),
    _("deliveries"),
    _("delivery"),
    _("department"),
    _("detail"),
    _("digest"),
    _("directory"),
    _("email"),
    _("employee id"),
    _("enabled"),
    _("end date"),
    _("ended at"),
    _("entitlement"),
    _("entitlements"),
    _("error"),
    _("event"),
    _("expires at"),
    _("evidence pack"),
    _("evidence packs"),
    _("family budget"),
    _("finished at"),
    _("first removals"),
    _("first seen at"),
    _("flavour"),
    _("gone at"),
    _("group"),
    _("group filter"),
    _("group grant"),
    _("group grants"),
    _("group rule"),
    _("group rules"),
    _("groups"),
    _("held since"),
    _("holder"),
    _("holders"),
    _("holds"),
    _("integration"),
    _("integrations"),
    _("job"),
    _("jobs"),
    _("key"),
    _("keys"),
    _("kind"),
    _("last seen at"),
    _("last used at"),
    _("lease expires at"),
    _("leaver keys"),
    _("lift reason"),
    _("lifted at"),
    _("lifted by"),
    _("made at"),
    _("made by"),
    _("managed domains"),
    _("managed elsewhere"),
    _("mark"),
    _("marks"),
    _("match"),
    _("message id"),
    _("minimum owners"),
    _("mode"),
    _("name"),
    _("nested groups"),
    _("next pull at"),
    _("next try at"),
    _("opened at"),
    _("orphans"),
    _("outlook"),
    _("over limit"),
    _("overrides"),
    _("password"),
    _("people"),
    _("people filter"),
    _("person"),
    _("person change"),
    _("phase"),
    _("phases"),
    _("place"),
    _("plan valid hours"),
    _("planned at"),
    _("preview"),
    _("progress"),
    _("provisioning job"),
    _("provisioning jobs"),
    _("pull every minutes"),
    _("read"),
    _("read groups"),
    _("reason"),
    _("recipients"),
    _("refusal"),
    _("rejected at"),
    _("rejected by"),
    _("rejection reason"),
    _("releases"),
    _("remind after hours"),
    _("remote id"),
    _("removal limit count"),
    _("removal limit percent"),
    _("renew invites"),
    _("request id"),
    _("request reason"),
    _("requested at"),
    _("requested by"),
    _("restores"),
    _("review"),
    _("revision"),
    _("role"),
    _("rotation"),
    _("rule"),
    _("rule grant"),
    _("rule grants"),
    _("rules"),
    _("scope"),
    _("settled by"),
    _("shown"),
    _("source"),
    _("sources"),
    _("start date"),
    _("started at"),
    _("state"),
    _("swept"),
    _("sync every minutes"),
    _("time zone"),
    _("title"),
    _("token issued at"),
    _("trigger"),
    _("until"),
    _("user"),
    _("vanished percent"),
    _("verified at"),
    _("what"),
)

CODES = (
    _("observe"),
    _("extend"),
    _("manage"),
    _("draft"),
    _("proposed"),
    _("invited"),
    _("expired"),
    _("matched"),
    _("queued"),
    _("running"),
    _("awaiting approval"),
    _("succeeded"),
    _("partial"),
    _("refused"),
    _("failed"),
    _("inconclusive"),
    _("cancelled"),
    _("protected"),
    _("ignored"),
    _("Approve held actions"),
    _("Enter credentials"),
    _("Export the ledger"),
    _("former email"),
    _("upload"),
    _("Keep evidence for less than 400 days"),
    _("Import people from a file"),
    _("Review access"),
    _("Start syncs and previews"),
)
"""Modes and states, where their codes stand in a sentence; and what roles may do besides."""

OF_THE_THEME = (
    _("After you've created a user, you’ll be able to edit more user options."),  # noqa: RUF001 - as it writes
    _("Apply Filters"),
    _("Choose file to upload"),
    _("Click to cancel"),
    _("Date"),
    _("Date from"),
    _("Date to"),
    _("Disabled"),
    _("Enabled"),
    _("Expand row"),
    _("False"),
    _("Filters"),
    _("From"),
    _("General"),
    _("Go back"),
    _("More actions"),
    _("Password-based authentication"),
    _(
        "Raw passwords are not stored, so there is no way to see this user’s password, but you can "  # noqa: RUF001 - as it is
        'change the password using <a href="{}" class="text-primary-600 dark:text-primary-500">this form</a>.'
    ),
    _("Select action"),
    _("Select action to run"),
    _("Select all rows"),
    _("Select record"),
    _("Select value"),
    _("Submit"),
    _("This item will be deleted."),
    _("To"),
    _("Toggle password visibility"),
    _(
        "Whether the user will be able to authenticate using a password or not. If disabled, they may still "
        "be able to authenticate using other backends, such as Single Sign-On or LDAP."
    ),
    _("True"),
    _("Value"),
)
"""What the theme says itself, as far as it is seen here: it comes without translations."""


def called(code: str) -> str:
    """How a code, or what a connector says of itself, is called in the reader's language."""
    return gettext(code) if code else ""


def translate_names() -> None:
    """Once, when all models are there. No migration sees it: what is said of a field in the code stays."""
    for label in OURS:
        for model in apps.get_app_config(label).get_models():
            options = model._meta
            options.verbose_name = _lazy(options.verbose_name)
            # A plural that Django has made by an s is no text of anybody's yet.
            is_given = "verbose_name_plural" in options.original_attrs
            plural = options.verbose_name_plural
            options.verbose_name_plural = _lazy(plural if is_given else str(plural))
            for field in options.fields + options.many_to_many:
                field.verbose_name = _lazy(field.verbose_name)


def _lazy(name: Any) -> Any:
    return name if isinstance(name, Promise) else gettext_lazy(name)


def grouped(number: int) -> str:
    """`100,031`, as the viewer's language parts thousands. Not for what is a name, such as a job's number."""
    return str(number_format(number, use_l10n=True, force_grouping=True))
