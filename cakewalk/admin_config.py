"""Which admin site there is: Django's own way to say it, in a module that needs no model."""

from django.contrib.admin.apps import AdminConfig


class OurAdminConfig(AdminConfig):
    default_site = "cakewalk.signing_in.site.Site"
