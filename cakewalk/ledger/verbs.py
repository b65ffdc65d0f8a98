"""Everything that the ledger tells of. The value is what stands in an entry; the label is for pages."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class Verb(models.TextChoices):
    # Rows of every kind, field by field
    ADDED = "row.added", _("Added")
    CHANGED = "row.changed", _("Changed")
    DELETED = "row.deleted", _("Deleted")
