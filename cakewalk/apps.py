from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CakewalkConfig(AppConfig):
    name = "cakewalk"
    verbose_name = _("Staff")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from cakewalk import deployment, secrets_health  # noqa: F401, PLC0415 - no models before
        from cakewalk.words import translate_names  # noqa: PLC0415

        translate_names()
