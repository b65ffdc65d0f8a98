from django.apps import AppConfig


class CakewalkConfig(AppConfig):
    name = "cakewalk"
    verbose_name = "Staff"
    default_auto_field = "django.db.models.BigAutoField"
