from django.apps import AppConfig


class CakewalkConfig(AppConfig):
    name = "cakewalk"
    default_auto_field = "django.db.models.BigAutoField"
