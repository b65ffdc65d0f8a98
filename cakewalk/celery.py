"""The Celery application. Tasks take ids; the database holds the truth and the broker only wakes workers."""

import os

from celery import Celery

from cakewalk import stopping  # noqa: F401 - it listens from now on
from cakewalk.logs import messages  # noqa: F401 - so does this

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cakewalk.settings")
# Celery would run Django's checks in each worker, for which all pages are imported, and tell nobody of them.
os.environ.setdefault("CELERY_SKIP_CHECKS", "yes")


def new_app(*, set_as_current: bool = True) -> Celery:
    """Which queues are served is kept with the app, so that two workers of one process need one each."""
    made = Celery("cakewalk", set_as_current=set_as_current)
    made.config_from_object("django.conf:settings", namespace="CELERY")
    made.autodiscover_tasks()
    made.steps["consumer"].add("cakewalk.health.beating:Pulse")  # by its name: only a worker imports it
    return made


app = new_app()
