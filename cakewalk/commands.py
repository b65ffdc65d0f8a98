"""What all commands of ours have in common."""

from django.core.checks import Tags
from django.core.management import base


class BaseCommand(base.BaseCommand):
    """Checks the settings and no pages. To check these all of them are imported, for which most commands wait
    longer than for what they do; `manage.py check` and `migrate` have checked them.
    """

    requires_system_checks: list[str] = [Tags.security]
