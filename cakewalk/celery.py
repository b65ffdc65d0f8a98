"""The Celery application. Tasks take ids; the database holds the truth and the broker only wakes workers."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cakewalk.settings")

app = Celery("cakewalk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
