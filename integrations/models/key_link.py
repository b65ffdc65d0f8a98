"""One-time links, through which whoever holds a key enters it, and whoever asked for it never sees it."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils.translation import gettext as _

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from integrations.models.integration import Integration


def hash_of(token: str) -> str:
    """Tokens are long and random, so that a plain hash tells nothing of them."""
    return hashlib.sha256(token.encode()).hexdigest()


class KeyLinkQuerySet(models.QuerySet["KeyLink"]):
    def open(self, now: datetime) -> "KeyLinkQuerySet":
        """Those that may still be used."""
        return self.filter(
            used_at=None,
            revoked_at=None,
            expires_at__gt=now,
            tries__lt=KeyLink.MOST_TRIES,
            requested_by__is_active=True,
        )

    def find(self, token: str, *, now: datetime) -> "KeyLink | None":
        """The open link with the token, while whoever asked for it may still connect or change that."""
        found = self.open(now).filter(token_hash=hash_of(token))
        link = found.select_related("requested_by", "integration").first()
        return link if link and link.is_permitted else None


class KeyLink(models.Model):
    """What is to be connected, or whose credential is to be replaced; who asked, and what became of it.

    Of its token only a hash is kept. It is used once, by a key that works: opening it uses nothing up.
    """

    MOST_TRIES = 10
    """Keys that are looked at, right or wrong."""
    HOURS = (1, 24, 168)

    token_hash = models.CharField(max_length=64, unique=True, editable=False)
    kind = models.CharField(max_length=50)
    name = models.CharField(max_length=100)
    base_url = models.URLField(max_length=300)
    integration = models.ForeignKey(
        Integration, on_delete=models.CASCADE, null=True, blank=True, related_name="key_links"
    )
    replaces = models.BooleanField(default=False)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    made_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True)
    used_from = models.CharField(max_length=45, blank=True)
    revoked_at = models.DateTimeField(null=True)

    objects = KeyLinkQuerySet.as_manager()

    class Meta:
        default_permissions = ()  # whoever may enter the key may ask somebody to

    def __str__(self) -> str:
        return f"One-time link for {self.name}"

    @classmethod
    def make(
        cls,
        *,
        kind: str,
        name: str,
        base_url: str,
        replaces: Integration | None,
        by: User,
        hours: int,
        now: datetime,
    ) -> tuple["KeyLink", str]:
        """The link and its token, which is known this once."""
        token = secrets.token_urlsafe(32)
        with together():
            link = cls.objects.create(
                token_hash=hash_of(token),
                kind=kind,
                name=name,
                base_url=base_url,
                integration=replaces,
                replaces=replaces is not None,
                requested_by=by,
                made_at=now,
                expires_at=now + timedelta(hours=hours),
            )
            link.record(Verb.LINK_MADE, expires=link.expires_at)
        return link, token

    def record(self, verb: Verb, **facts: Any) -> None:
        """Where it belongs to an integration, of that: its history tells of its keys."""
        asked_by = self.requested_by.get_username() if self.requested_by else ""
        record(verb, self.integration or self, facts={"link": self.pk, "asked_by": asked_by, **facts})

    def is_permitted_to(self, user: User) -> bool:
        """Whether they may make it, and revoke it: whoever may enter that key."""
        if self.replaces:
            return user.has_perm("integrations.enter_credential", self.integration)
        return user.has_perms(("integrations.add_integration", "integrations.enter_credential"))

    @property
    def is_permitted(self) -> bool:
        return self.requested_by is not None and self.is_permitted_to(self.requested_by)

    def note_opened(self, *, now: datetime) -> bool:
        """Whether it was for the first time."""
        first = KeyLink.objects.filter(pk=self.pk, opened_at=None)
        with together():
            is_first = first.update(opened_at=now) == 1
            if is_first:
                self.record(Verb.LINK_OPENED)
        return is_first

    def note_try(self, *, now: datetime) -> bool:
        """Count a key before it is looked at; False when there were too many, or the link is over."""
        return KeyLink.objects.open(now).filter(pk=self.pk).update(tries=F("tries") + 1) == 1

    def claim(self, *, address: str, now: datetime) -> bool:
        """Use it up; False when another browser was first, or it was revoked meanwhile."""
        mine = KeyLink.objects.filter(pk=self.pk, used_at=None, revoked_at=None, expires_at__gt=now)
        return mine.update(used_at=now, used_from=address) == 1

    def revoke(self, *, now: datetime) -> bool:
        """False when it was used or revoked already."""
        open_still = KeyLink.objects.filter(pk=self.pk, used_at=None, revoked_at=None)
        with together():
            is_revoked = open_still.update(revoked_at=now) == 1
            if is_revoked:
                self.record(Verb.LINK_REVOKED)
        return is_revoked

    def state(self, *, now: datetime) -> tuple[str, str]:
        """In a word, and its tone."""
        if self.used_at:
            return _("Used"), "success"
        if self.revoked_at:
            return _("Revoked"), ""
        if self.expires_at <= now:
            return _("Expired"), ""
        if self.tries >= self.MOST_TRIES:
            return _("Too many wrong keys"), "danger"
        if self.requested_by is None or not self.requested_by.is_active:
            return _("Who asked is no longer active"), ""
        return (_("Opened"), "info") if self.opened_at else (_("Not opened yet"), "info")
