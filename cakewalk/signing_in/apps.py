from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SigningInConfig(AppConfig):
    name = "cakewalk.signing_in"
    label = "signing_in"
    verbose_name = _("Signing in")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from cakewalk.signing_in import recorded, sessions  # noqa: PLC0415 - there are no models before

        recorded.listen()
        sessions.listen()
