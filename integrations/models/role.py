"""Roles that somebody holds on one integration only."""

from django.conf import settings
from django.contrib.auth.models import Group
from django.db import models
from django.utils.translation import gettext_lazy as _

from integrations.models.integration import Integration


class RoleOnIntegration(models.Model):
    """What a role allows, allowed there alone. (A role held everywhere is one of the user's groups.)"""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="roles_on_integrations"
    )
    role = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="+", verbose_name=_("role"))
    integration = models.ForeignKey(
        Integration, on_delete=models.CASCADE, related_name="+", verbose_name=_("integration")
    )

    class Meta:
        verbose_name = _("role on an integration")
        verbose_name_plural = _("roles on some integrations only")
        default_permissions = ()  # they are a part of the user's page, which superusers alone may change
        constraints = [
            models.UniqueConstraint(fields=["user", "role", "integration"], name="role_once_on_integration")
        ]

    def __str__(self) -> str:
        return f"{self.role} on {self.integration}"
