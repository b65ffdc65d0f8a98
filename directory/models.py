"""The local identity directory: the people and groups that decide who has access."""

import hashlib
import hmac
import secrets
import sys
import uuid
from collections.abc import Collection, Iterable
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from directory import snapshot
from directory.emails import email_key
from directory.ldap.models import LdapServer, Pull
from directory.time_zones import by_day, day_in, validate_time_zone
from directory.uploads import Upload, UploadPage

__all__ = [
    "Conflict",
    "DateWatch",
    "EmailTaken",
    "FormerEmail",
    "Group",
    "LdapServer",
    "Membership",
    "Person",
    "PersonEmail",
    "Pull",
    "Revision",
    "Source",
    "Upload",
    "UploadPage",
    "snapshot_of",
    "take_snapshot",
]

TOKEN_OVERLAP = timedelta(hours=24)
"""So long the token before is valid when a new one is issued, for somebody has to enter it at the client."""


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class SourceQuerySet(models.QuerySet["Source"]):
    def with_token(self, token: str, *, now: datetime) -> "Source | None":
        """The SCIM source whose token this is: the newest, or the one before while it is still valid."""
        digest = _digest(token)
        found = None
        for source in self.filter(kind=Source.Kind.SCIM):  # all of them, so that time tells nothing
            if source.has_digest(digest, now=now):
                found = source
        return found


class Source(models.Model):
    """Where people come from: the admin, a file, or a SCIM client with its bearer token."""

    class Kind(models.TextChoices):
        MANUAL = "manual", _("Entered by hand")
        FILE = "file", _("File import")
        LDAP = "ldap", _("LDAP directory")
        SCIM = "scim", _("SCIM client")

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    token_digest = models.CharField(max_length=64, blank=True, editable=False)
    token_issued_at = models.DateTimeField(null=True, blank=True, editable=False)
    drop_allowed_at = models.DateTimeField(
        _("smaller size accepted at"),
        null=True,
        blank=True,
        editable=False,
        help_text=_("When a person last accepted that this source became much smaller."),
    )
    old_token_digest = models.CharField(max_length=64, blank=True, editable=False)
    old_token_valid_until = models.DateTimeField(null=True, blank=True, editable=False)
    token_used_at = models.DateTimeField(_("token last used at"), null=True, blank=True, editable=False)
    quiet_after_hours = models.PositiveSmallIntegerField(
        _("quiet after … hours"),
        default=72,
        validators=[MaxValueValidator(8760)],
        help_text=_("An alarm tells when its client has sent nothing for so long. 0: never."),
    )

    objects = SourceQuerySet.as_manager()

    class Meta:
        permissions = [("import_people", "Can import people from a file")]

    def __str__(self) -> str:
        return self.name

    def issue_token(self, *, now: datetime) -> str:
        """Replace the bearer token; the only time its text is known. The one before is valid for a while."""
        token = f"cakewalk-scim-{secrets.token_urlsafe(32)}"
        self.old_token_digest = self.token_digest
        self.old_token_valid_until = now + TOKEN_OVERLAP if self.token_digest else None
        self.token_digest = _digest(token)
        self.token_issued_at = now
        until = self.old_token_valid_until
        with together():
            self._save_tokens()
            record(Verb.TOKEN_ISSUED, self, facts={"old_token_works_until": until} if until else None)
        return token

    def revoke_old_token(self) -> None:
        self.old_token_digest, self.old_token_valid_until = "", None
        with together():
            self._save_tokens()
            record(Verb.TOKEN_REVOKED, self)

    def _save_tokens(self) -> None:
        self.save(
            update_fields=["token_digest", "token_issued_at", "old_token_digest", "old_token_valid_until"]
        )

    def has_old_token(self, *, now: datetime) -> bool:
        return self.old_token_valid_until is not None and now < self.old_token_valid_until

    def has_digest(self, digest: str, *, now: datetime) -> bool:
        is_current = hmac.compare_digest(digest, self.token_digest)
        is_old = hmac.compare_digest(digest, self.old_token_digest)
        return is_current or (is_old and self.has_old_token(now=now))

    def name_of(self, token: str) -> str:
        """Which of its tokens a valid one is."""
        return "token" if hmac.compare_digest(_digest(token), self.token_digest) else "old token"

    def note_token_use(self, *, now: datetime) -> None:
        """To the minute, for a client may ask a hundred times in one."""
        if self.token_used_at is None or now - self.token_used_at >= timedelta(minutes=1):
            self.token_used_at = now
            self.save(update_fields=["token_used_at"])

    def allow_drop(self, *, now: Any) -> None:
        self.drop_allowed_at = now
        self.save(update_fields=["drop_allowed_at"])


class Group(models.Model):
    """A directory group. Access rules hang on it, so a group that a rule names cannot be deleted."""

    name = models.CharField(max_length=200)

    class Meta:
        constraints = [models.UniqueConstraint(Lower("name"), name="group_name_unique_without_case")]

    def __str__(self) -> str:
        return self.name


class EmailTaken(ValidationError):
    """An address already belongs to somebody else. Names the address and the holder."""


class PersonQuerySet(models.QuerySet["Person"]):
    def active_on(self, moment: datetime) -> "PersonQuerySet":
        """Active people whose start and end dates include the day that it is where they are."""
        return self.filter(self.is_active_on(moment))

    def is_active_on(self, moment: datetime) -> models.Q:
        """Whether somebody is."""
        within = models.Q(start_date__isnull=True, end_date__isnull=True)
        for day, zones in by_day(self._zones_with_dates(), moment).items():
            started = models.Q(start_date__isnull=True) | models.Q(start_date__lte=day)
            not_ended = models.Q(end_date__isnull=True) | models.Q(end_date__gte=day)
            within |= models.Q(time_zone__in=zones) & started & not_ended
        return models.Q(active=True) & within

    def started_or_ended(self, since: datetime, until: datetime) -> "PersonQuerySet":
        """Active people whose first day began, or whose last day ended, after `since` and up to `until`."""
        passed = models.Q(pk__in=[])
        for zone in self._zones_with_dates():
            before, after = day_in(zone, since), day_in(zone, until)
            started = models.Q(start_date__gt=before, start_date__lte=after)
            ended = models.Q(end_date__gte=before, end_date__lt=after)
            if before < after:
                passed |= models.Q(time_zone=zone) & (started | ended)
        return self.filter(passed, active=True)

    def _zones_with_dates(self) -> list[str]:
        dated = Person.objects.exclude(start_date__isnull=True, end_date__isnull=True)
        return list(dated.order_by().values_list("time_zone", flat=True).distinct())

    def with_email(self, address: str) -> "PersonQuerySet":
        """Whoever answers to the address, as primary or alias."""
        return self.filter(addresses__key=email_key(address))


class Person(models.Model):
    """An entry of the directory. Every address they answer to is also a row of `PersonEmail`.

    `email` is empty where the source knows of no address yet: then nobody can be invited.
    """

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    email = models.EmailField(_("e-mail"))
    name = models.CharField(max_length=200, blank=True)
    active = models.BooleanField(default=True)
    department = models.CharField(max_length=200, blank=True)
    title = models.CharField(max_length=200, blank=True)
    employee_id = models.CharField(max_length=100, blank=True)
    start_date = models.DateField(null=True, blank=True)
    end_date = models.DateField(null=True, blank=True, help_text=_("The last day on which they have access."))
    time_zone = models.CharField(
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Where their days begin and end. Empty: in the time zone of the installation."),
    )
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="people")
    external_id = models.CharField(
        max_length=255,
        blank=True,
        editable=False,
        help_text=_("By which their source knows them, whatever their e-mail becomes."),
    )
    groups = models.ManyToManyField(Group, through="Membership", related_name="people", blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PersonQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("people")
        indexes = [
            models.Index(fields=["active"]),
            models.Index(Lower("email"), name="person_email_lower"),
            models.Index(fields=["email"], name="person_email_in_order"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["source", "external_id"],
                condition=~models.Q(external_id=""),
                name="person_external_id_once",
            )
        ]

    def __str__(self) -> str:
        return self.email or self.name or str(self.public_id)

    def clean(self) -> None:
        if self.start_date and self.end_date and self.end_date < self.start_date:
            raise ValidationError({"end_date": _("The end date is before the start date.")})

    def day_at(self, moment: datetime) -> date:
        """Which day it is where they are."""
        return day_in(self.time_zone, moment)

    def is_active_at(self, moment: datetime) -> bool:
        """Active, and within their start and end dates on the day that it is where they are."""
        today = self.day_at(moment)
        started = self.start_date is None or self.start_date <= today
        return self.active and started and (self.end_date is None or self.end_date >= today)

    def as_value(self, moment: datetime) -> snapshot.Person:
        """As a snapshot of the whole directory holds them. Asks for their groups and addresses."""
        primary = email_key(self.email)
        others = sorted(row.key for row in self.addresses.all() if row.key != primary)
        return snapshot.Person(
            self.pk,
            self.email,
            (primary, *others) if self.email else (),
            self.name,
            self.is_active_at(moment),
            frozenset(group.pk for group in self.groups.all()),
        )

    def aliases(self) -> list[str]:
        """The addresses beside the primary one."""
        primary = email_key(self.email)
        return sorted(row.address for row in self.addresses.all() if row.key != primary)

    def claim_addresses(self, aliases: Iterable[str]) -> None:
        """Make the primary e-mail and the aliases this person's addresses, and no others.

        Raises EmailTaken, and changes nothing, when one of them is somebody else's.
        """
        wanted = {email_key(address): address for address in [*aliases, self.email] if address}
        with transaction.atomic():
            taken = PersonEmail.objects.filter(key__in=wanted).exclude(person=self).select_related("person")
            if holder := taken.first():
                raise EmailTaken(
                    _("%(address)s already belongs to %(holder)s."),
                    params={"address": wanted[holder.key], "holder": holder.person.email},
                )
            self.addresses.exclude(key__in=wanted).delete()
            present = set(self.addresses.values_list("key", flat=True))
            PersonEmail.objects.bulk_create(
                PersonEmail(person=self, key=key, address=address)
                for key, address in wanted.items()
                if key not in present
            )


class PersonEmail(models.Model):
    """One address of one person, primary or alias. The unique key makes e-mails unique without case."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="addresses")
    address = models.EmailField()
    key = models.CharField(max_length=254, unique=True)

    def __str__(self) -> str:
        return self.address


class Revision(models.Model):
    """One change of a person: when, by whom or by what, and which columns from what to what.

    Kept as long as the person is. The columns are those of a file; what is new begins at null.
    """

    LONGEST_BY = 300

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="revisions")
    at = models.DateTimeField()
    by = models.CharField(max_length=LONGEST_BY)
    fields = models.JSONField()

    def __str__(self) -> str:
        return f"{self.person}, {self.at:%Y-%m-%d %H:%M}"


class FormerEmail(models.Model):
    """An address that a person had once, as their revisions tell. They may have it again by now."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="former_addresses")
    key = models.CharField(max_length=254)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "person"], name="former_email_once")]

    def __str__(self) -> str:
        return self.key


class ConflictQuerySet(models.QuerySet["Conflict"]):
    def note(self, source: Source, address: str, holder: Person, *, now: datetime) -> None:
        """Once for each source and address, however often it is tried. What was dismissed stays so."""
        conflict, is_new = self.get_or_create(
            source=source,
            key=email_key(address),
            defaults={"address": address, "person": holder, "first_at": now, "last_at": now},
        )
        if not is_new:
            conflict.happened_again(address, holder, now=now)


class Conflict(models.Model):
    """An address that a source wanted for a person of its own, and that belongs to one of another source."""

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        HANDED_OVER = "handed_over", _("Handed over")
        DISMISSED = "dismissed", _("Dismissed")

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="conflicts")
    address = models.EmailField()
    key = models.CharField(max_length=254)
    person = models.ForeignKey(
        Person, on_delete=models.CASCADE, related_name="conflicts", verbose_name=_("belongs to")
    )
    state = models.CharField(max_length=20, choices=State.choices, default=State.OPEN)
    times = models.PositiveIntegerField(_("how often"), default=1)
    first_at = models.DateTimeField(_("first at"))
    last_at = models.DateTimeField(_("last at"))
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )

    objects = ConflictQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "key"], name="conflict_once")]

    def __str__(self) -> str:
        return f"{self.address} for {self.source}"

    def happened_again(self, address: str, holder: Person, *, now: datetime) -> None:
        self.address, self.person, self.last_at = address, holder, now
        self.times += 1
        if self.state == self.State.HANDED_OVER:  # and back, since
            self.state = self.State.OPEN
        self.save(update_fields=["address", "person", "last_at", "times", "state"])

    def hand_over(self, *, by: Any, now: datetime) -> None:
        """The person is now of the source that asked for them, which takes them over when it asks again."""
        self.person.source, self.person.external_id = self.source, ""
        self.person.save(update_fields=["source", "external_id", "updated_at"])
        self._settle(self.State.HANDED_OVER, Verb.HANDED_OVER, by=by, now=now)

    def dismiss(self, *, by: Any, now: datetime) -> None:
        self._settle(self.State.DISMISSED, Verb.DISMISSED, by=by, now=now)

    def _settle(self, state: str, verb: Verb, *, by: Any, now: datetime) -> None:
        before, self.state, self.settled_by, self.settled_at = self.state, state, by, now
        self.save(update_fields=["state", "settled_by", "settled_at"])
        of = {"person": str(self.person), "source": str(self.person.source)}
        record(verb, self, before={"state": before}, after={"state": state}, facts=of, email=self.address)


class Membership(models.Model):
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="memberships")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="memberships")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["person", "group"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.person} in {self.group}"


class DateWatch(models.Model):
    """One row: up to which moment it was looked whose start or end date has passed."""

    looked_until = models.DateTimeField()

    def __str__(self) -> str:
        return f"looked until {self.looked_until}"

    @classmethod
    def look(cls, *, now: datetime) -> list[int]:
        """Whose access began or ended by a date since the last look. Each is told once, however long ago that
        was, if the caller's transaction is committed. The first look has nothing to tell.
        """
        watch, is_first = cls.objects.select_for_update().get_or_create(pk=1, defaults={"looked_until": now})
        if is_first or now <= watch.looked_until:
            return []
        passed = Person.objects.started_or_ended(watch.looked_until, now)
        people = list(passed.order_by("pk").values_list("pk", flat=True))
        watch.looked_until = now
        watch.save(update_fields=["looked_until"])
        return people


def snapshot_of(people: Collection[int], now: datetime) -> snapshot.Directory:
    """These people alone, by their ids, as `take_snapshot` tells of them."""
    found = Person.objects.filter(pk__in=people).prefetch_related("addresses", "groups").order_by("pk")
    active = Person.objects.active_on(now).order_by().values_list("source__name")
    by_source = dict.fromkeys(Source.objects.values_list("name", flat=True), 0)
    by_source |= dict(active.annotate(number=models.Count("pk")))
    return snapshot.Directory(tuple(person.as_value(now) for person in found), by_source)


def take_snapshot(now: datetime) -> snapshot.Directory:
    """The whole directory as frozen values, in five queries."""
    aliases: dict[int, list[str]] = {}
    other = PersonEmail.objects.exclude(key=Lower("person__email")).order_by()
    for person_id, key in other.values_list("person_id", "key").iterator(chunk_size=CHUNK):
        aliases.setdefault(person_id, []).append(key)
    groups = _GroupsOfPeople(Membership.objects.order_by("person_id").values_list("person_id", "group_id"))
    sources = dict(Source.objects.values_list("pk", "name"))
    people, by_source = [], dict.fromkeys(sources.values(), 0)
    # As a text, which Django hands on as it is. A truth on SQLite it converts, and with it each row.
    is_active = models.Case(
        models.When(Person.objects.is_active_on(now), then=models.Value("yes")), default=models.Value("")
    )
    rows = Person.objects.order_by("pk").values_list("pk", "email", "name", "source_id", is_active)
    for pk, written, name, source_id, active in rows.iterator(chunk_size=CHUNK):
        email = sys.intern(written)  # one text with that of their account
        primary = email_key(email)
        keys: tuple[str, ...] = (primary,) if email else ()
        if email and pk in aliases:
            keys = (primary, *sorted(key for key in aliases[pk] if key != primary))
        people.append(snapshot.Person(pk, email, keys, name, bool(active), groups.of(pk)))
        if active:
            by_source[sources[source_id]] += 1
    return snapshot.Directory(tuple(people), by_source)


CHUNK = 1_000


class _GroupsOfPeople:
    """Reads memberships, in the order of people, beside the people. Many are in the same groups, which
    are then one set.
    """

    def __init__(self, memberships: models.QuerySet[Membership, tuple[int, int]]) -> None:
        self._rows = memberships.iterator(chunk_size=CHUNK)
        self._next = next(self._rows, None)
        self._same: dict[frozenset[int], frozenset[int]] = {}

    def of(self, person_id: int) -> frozenset[int]:
        """To be asked in the order of the ids."""
        found: list[int] = []
        row = self._next
        while row and row[0] <= person_id:
            if row[0] == person_id:
                found.append(row[1])
            row = next(self._rows, None)
        self._next = row
        groups = frozenset(found)
        return self._same.setdefault(groups, groups)
