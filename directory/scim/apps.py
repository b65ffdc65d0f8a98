from django.apps import AppConfig


class ScimConfig(AppConfig):
    name = "directory.scim"
    label = "scim"
    verbose_name = "SCIM"
