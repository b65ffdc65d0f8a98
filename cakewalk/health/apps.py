from celery.signals import task_postrun
from django.apps import AppConfig
from django.contrib.auth.signals import user_login_failed

from cakewalk.health import counting


class HealthConfig(AppConfig):
    name = "cakewalk.health"
    label = "health"
    verbose_name = "Health"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        task_postrun.connect(counting.add_up_after_a_task, dispatch_uid="health")
        user_login_failed.connect(counting.count_failed_sign_in, dispatch_uid="health")
