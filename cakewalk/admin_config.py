"""Which admin site there is: Django's own way to say it, in a module that needs no model."""

from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.admin.apps import SimpleAdminConfig
from django.contrib.admin.checks import check_admin_app, check_dependencies
from django.core import checks


class OurAdminConfig(SimpleAdminConfig):
    """Its pages are found by whoever wants an address, in cakewalk/urls.py: half of a start is spent on them,
    and workers and most commands show none.
    """

    default_site = "cakewalk.signing_in.site.Site"

    def ready(self) -> None:
        checks.register(_check_pages, checks.Tags.admin)


def _check_pages(**given: Any) -> list[checks.CheckMessage]:
    """Django's checks of the admin, once its pages are there."""
    import_module(settings.ROOT_URLCONF)
    return [*check_dependencies(**given), *check_admin_app(**given)]
