"""How much waits for workers: what they will not come to soon is not sent again and again."""

from celery import current_app
from django.conf import settings

MOST_WAITING = 1000
"""Messages in a queue, beyond which the clock adds none. Jobs are never so many: see requesting.py."""


def waiting_in(queue: str) -> int:
    """Messages that no worker has taken yet. None, as far as anybody knows, while the broker does not answer:
    then nothing can be sent either, and whoever tries is told.
    """
    with current_app.connection_or_acquire() as connection:
        try:
            declared = connection.default_channel.queue_declare(queue=queue, passive=True)
        except (*connection.connection_errors, *connection.channel_errors):
            return 0
    return int(declared.message_count)


def is_behind(queue: str) -> bool:
    """Whether more waits than ticks of the clock, which come all at once, however idle the workers are."""
    return waiting_in(queue) > len(settings.CELERY_BEAT_SCHEDULE)
