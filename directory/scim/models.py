"""What SCIM clients wrote, beside what the directory made of it. A client is shown its own rows only.

They have no page of their own: what they say is on the pages of the person and of the group.
"""

import uuid
from datetime import datetime

from django.db import models

from directory.models import Group, Person, Source


class UserQuerySet(models.QuerySet["UserRecord"]):
    def of(self, source: Source) -> "UserQuerySet":
        """The users that the client sees. A person who was handed over to another source is none of them."""
        return self.filter(source=source, person__source=source, deleted_at=None)


class UserRecord(models.Model):
    """A person as the client of their source wrote them. Their id there is the person's public id."""

    person = models.OneToOneField(Person, on_delete=models.CASCADE, related_name="scim_user")
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    user_name_key = models.CharField(max_length=255)
    display_name_key = models.CharField(max_length=255, blank=True)
    external_id = models.CharField(max_length=255, blank=True)
    resource = models.JSONField()
    version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    modified_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = UserQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "user_name_key"],
                condition=models.Q(deleted_at=None),
                name="user_name_unique_without_case",
            )
        ]
        indexes = [
            models.Index(fields=["source", "external_id"], name="user_by_external_id"),
            models.Index(fields=["source", "display_name_key"], name="user_by_display_name"),
        ]

    def __str__(self) -> str:
        return str(self.resource.get("userName", ""))

    def delete_for_client(self, *, now: datetime) -> None:
        """Gone for the client. The person and what was written of them stay with us."""
        self.deleted_at = self.modified_at = now
        self.version += 1
        self.save(update_fields=["deleted_at", "modified_at", "version"])


class GroupRecord(models.Model):
    """A directory group as one client sees it, with that client's own people in it and nobody else's."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    source = models.ForeignKey(Source, on_delete=models.PROTECT, related_name="+")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="scim_groups")
    display_name = models.CharField(max_length=200)
    display_name_key = models.CharField(max_length=255)
    external_id = models.CharField(max_length=255, blank=True)
    made_it = models.BooleanField(help_text="Whether the directory had no such group before.")
    version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    modified_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "group"], name="group_once_for_each_source"),
            models.UniqueConstraint(
                fields=["source", "display_name_key"], name="display_name_unique_in_source"
            ),
        ]
        indexes = [models.Index(fields=["source", "external_id"], name="group_by_external_id")]

    def __str__(self) -> str:
        return self.display_name
