"""What workers and the clock run. Ids in, nothing decided here."""

from datetime import timedelta

from celery import Task, shared_task
from django.utils import timezone

from directory.models import Upload
from integrations.models import Rotation
from provisioning.alarms.tasks import look_for_trouble
