"""What a million actions are found by, beside their own columns; and questions that are asked again."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class Name(models.Model):
    """Rules, or a project, group or role, as actions called them at their time. Each kept once."""

    class Kind(models.TextChoices):
        RULES = "rules"
        HELD = "held"

    kind = models.CharField(max_length=5, choices=Kind.choices)
    text = models.TextField()
    digest = models.CharField(
        max_length=64,
        unique=True,
        help_text=_("Of kind and text, which may be longer than what an index takes."),
    )

    def __str__(self) -> str:
        return self.text


class Mention(models.Model):
    """An action speaks of a name. Written with the action, and never changed.

    Without constraints in the database, which would look each of them up twice while a plan is stored.
    """

    name = models.ForeignKey(
        Name, on_delete=models.CASCADE, related_name="mentions", db_constraint=False, db_index=False
    )
    action = models.ForeignKey(
        "provisioning.Action", on_delete=models.CASCADE, related_name="mentions", db_constraint=False
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "action"], name="mention_once")]

    def __str__(self) -> str:
        return f"{self.name_id} in {self.action_id}"


class SavedSearch(models.Model):
    """A question that somebody wants to ask again: the address says it all."""

    class Page(models.TextChoices):
        ACTIONS = "actions", _("Actions")
        LEDGER = "ledger", _("Ledger")

    name = models.CharField(_("name"), max_length=100)
    page = models.CharField(max_length=10, choices=Page.choices)
    query = models.TextField(blank=True, help_text=_("What stands behind the question mark of the address."))
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="searches")
    shared = models.BooleanField(_("shared"), default=False)
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("saved search")
        verbose_name_plural = _("saved searches")
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="search_name_once")]

    def __str__(self) -> str:
        return self.name
