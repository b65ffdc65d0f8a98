from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReviewsConfig(AppConfig):
    name = "provisioning.reviews"
    label = "reviews"
    verbose_name = _("Access reviews")
    default_auto_field = "django.db.models.BigAutoField"
