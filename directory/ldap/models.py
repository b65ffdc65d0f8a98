"""How an LDAP server is asked, when, and what came of it."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from cakewalk.addresses import literal, may_reach
from cakewalk.encryption import EncryptedTextField
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from directory.ldap.flavours import FLAVOURS, Attributes, attributes_of

LEASE = timedelta(minutes=30)
"""So long without an end, the process that pulled is taken for dead. A read takes half of it at most."""
KEPT = 200
"""How many pulls of a source are remembered."""
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")


class LdapServerQuerySet(models.QuerySet["LdapServer"]):
    def free(self, now: datetime) -> "LdapServerQuerySet":
        return self.filter(models.Q(pulling_until=None) | models.Q(pulling_until__lt=now))

    def due(self, now: datetime) -> "LdapServerQuerySet":
        """Whose time has come, or for which somebody asked; and which nobody is pulling."""
        return self.free(now).filter(models.Q(next_pull_at__lte=now) | models.Q(asked_at__isnull=False))


class LdapServer(models.Model):
    """The settings of a source that is filled from an LDAP server."""

    class Flavour(models.TextChoices):
        OPENLDAP = "openldap", _("OpenLDAP, or another one with inetOrgPerson")
        ACTIVE_DIRECTORY = "active_directory", _("Active Directory")

    source = models.OneToOneField("directory.Source", on_delete=models.CASCADE, related_name="ldap")
    flavour = models.CharField(max_length=20, choices=Flavour.choices, default=Flavour.OPENLDAP)
    url = models.CharField(
        _("address"), max_length=300, help_text=_("ldaps://HOST, or ldap://HOST with StartTLS.")
    )
    start_tls = models.BooleanField(
        "StartTLS", default=False, help_text=_("Encrypt an ldap:// connection before anything is said.")
    )
    ca_certificates = models.TextField(
        _("certificates"),
        blank=True,
        help_text=_(
            "In PEM: of the authorities that may vouch for the server. Empty: those this machine trusts."
        ),
    )
    bind_dn = models.CharField(
        _("bind DN"), max_length=500, blank=True, help_text=_("Who signs in. Empty: nobody, anonymously.")
    )
    password = EncryptedTextField(blank=True, default="")
    base_dn = models.CharField(_("base DN"), max_length=500, help_text=_("Below which people are."))
    people_filter = models.CharField(
        max_length=1000,
        blank=True,
        help_text=_("Who counts as a person. Empty: as usual for the kind of server."),
    )
    read_groups = models.BooleanField(default=True)
    group_base_dn = models.CharField(
        _("base DN of groups"), max_length=500, blank=True, help_text=_("Empty: the same as of people.")
    )
    group_filter = models.CharField(
        max_length=1000,
        blank=True,
        help_text=_("Which groups are read. Empty: as usual for the kind of server."),
    )
    nested_groups = models.BooleanField(
        default=False, help_text=_("Who is in a group that is in a group is in both of them.")
    )
    attributes = models.TextField(
        blank=True,
        help_text=_("What differs from the usual, one on a line, such as: email = mail, userPrincipalName"),
    )
    pull_every_minutes = models.PositiveIntegerField(
        default=60,
        validators=[MaxValueValidator(10_080)],
        help_text=_("By the clock, once a first pull by hand went well. 0: only when somebody asks."),
    )
    next_pull_at = models.DateTimeField(null=True, editable=False)
    asked_at = models.DateTimeField(null=True, editable=False)
    pulling_until = models.DateTimeField(null=True, editable=False)

    objects = LdapServerQuerySet.as_manager()

    class Meta:
        app_label = "directory"
        verbose_name = _("LDAP server")
        default_permissions = ()  # those of its source count

    def __str__(self) -> str:
        return self.url

    def clean(self) -> None:
        from directory.ldap.reading import check_filter  # noqa: PLC0415 - with ldap3, which few start for

        problems: dict[str, Any] = {}
        if problem := _address_problem(self.url, start_tls=self.start_tls):
            problems["url"] = problem
        for name in ("people_filter", "group_filter"):
            try:
                check_filter(getattr(self, name) or "(objectClass=*)")
            except ValueError as error:
                problems[name] = str(error)
        try:
            self.mapping()
        except ValueError as error:
            problems["attributes"] = str(error)
        if problems:
            raise ValidationError(problems)

    def mapping(self) -> Attributes:
        """Raises ValueError."""
        return attributes_of(self.flavour, self.attributes)

    @property
    def filter_of_people(self) -> str:
        return self.people_filter or FLAVOURS[self.flavour].people

    @property
    def filter_of_groups(self) -> str:
        return self.group_filter or FLAVOURS[self.flavour].groups

    # -- when

    def ask(self, *, now: datetime) -> None:
        """Somebody wants a pull now."""
        self.asked_at = now
        with together():
            self.save(update_fields=["asked_at"])
            record(Verb.PULL_ASKED, self)

    def claim(self, *, now: datetime, only_if_due: bool = False) -> bool:
        """Let this process pull; False when another one is at it, or was first."""
        servers = LdapServer.objects.due(now) if only_if_due else LdapServer.objects.free(now)
        if not servers.filter(pk=self.pk).update(pulling_until=now + LEASE):
            return False
        # Whatever becomes of this one, the next one comes.
        LdapServer.objects.filter(pk=self.pk, next_pull_at__isnull=False).update(next_pull_at=self._next(now))
        self.refresh_from_db(fields=["asked_at", "next_pull_at", "pulling_until"])
        return True

    def let_go(self, *, began: datetime, went_well: bool, now: datetime) -> None:
        """The pull is over. The clock goes on with what went well once."""
        self.refresh_from_db(fields=["asked_at", "next_pull_at", "pull_every_minutes"])
        self.pulling_until = None
        if self.asked_at and self.asked_at <= began:
            self.asked_at = None
        if went_well:
            self.next_pull_at = self._next(now)
        self.save(update_fields=["pulling_until", "asked_at", "next_pull_at"])

    def reschedule(self, *, now: datetime) -> None:
        """After a change of the interval."""
        went_well_once = self.source.pulls.filter(outcome=Pull.Outcome.DONE).exists()
        self.next_pull_at = self._next(now) if went_well_once else None
        self.save(update_fields=["next_pull_at"])

    def _next(self, now: datetime) -> datetime | None:
        return now + timedelta(minutes=self.pull_every_minutes) if self.pull_every_minutes else None


def _address_problem(url: str, *, start_tls: bool) -> Any:
    try:
        parts = urlsplit(url)
        usable = parts.hostname and parts.port != 0 and parts.scheme in ("ldap", "ldaps")
    except ValueError:
        usable = False
    if not usable or parts.username or parts.path.strip("/") or parts.query:
        return _("Write it as ldaps://HOST or ldap://HOST:PORT.")
    if parts.scheme == "ldaps" and start_tls:
        return _("ldaps:// is encrypted from the start; StartTLS is for ldap://.")
    if parts.scheme == "ldap" and not start_tls and parts.hostname not in THIS_MACHINE:
        return _("Passwords and people must not travel in the clear: use ldaps:// or StartTLS.")
    host = parts.hostname or ""
    if settings.HTTPS and (ip := literal(host)) and not may_reach(ip, host, settings.LDAP_ALLOWED_HOSTS):
        return _(
            "This is no public address. Whoever runs Cakewalk can allow it in the setting LDAP_ALLOWED_HOSTS."
        )
    return None


class PullQuerySet(models.QuerySet["Pull"]):
    def newest_of_each(self) -> "PullQuerySet":
        """The last pull of each server that was pulled."""
        newest = self.filter(source=models.OuterRef("source")).order_by("-pk").values("pk")[:1]
        servers = LdapServer.objects.order_by().values_list(models.Subquery(newest))
        return self.filter(pk__in=servers).select_related("source")

    def forget_old(self, source_id: int) -> None:
        """All but the newest of a source."""
        of_source = self.filter(source=source_id).order_by("-pk")
        oldest_kept = of_source.values_list("pk", flat=True)[KEPT - 1 : KEPT].first()
        if oldest_kept:
            of_source.filter(pk__lt=oldest_kept).delete()


class Pull(models.Model):
    """What came of asking a source for everybody."""

    class Outcome(models.TextChoices):
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")
        INCONCLUSIVE = "inconclusive", _("Inconclusive")
        FAILED = "failed", _("Failed")

    source = models.ForeignKey("directory.Source", on_delete=models.CASCADE, related_name="pulls")
    began_at = models.DateTimeField()
    finished_at = models.DateTimeField()
    outcome = models.CharField(max_length=20, choices=Outcome.choices)
    counts = models.JSONField(default=dict, help_text=_("What was read, and what it changed."))
    dropped = models.PositiveIntegerField(default=0, help_text=_("Who would have lost access."))
    detail = models.TextField(blank=True, help_text=_("Why nothing was changed."))
    warnings = models.JSONField(default=list)

    objects = PullQuerySet.as_manager()

    class Meta:
        app_label = "directory"
        default_permissions = ()  # those of its source count

    def __str__(self) -> str:
        return f"{self.source}, {self.began_at:%Y-%m-%d %H:%M}: {self.get_outcome_display()}"
