"""Start and end dates act by themselves: a job looks at people as soon as one of theirs has passed."""

from datetime import datetime

from django.db import transaction

from directory.models import DateWatch
from provisioning import requesting


def notice_passed_dates(now: datetime) -> list[int]:
    """The people whose access began or ended by a date since the last look."""
    with transaction.atomic():
        people = DateWatch.look(now=now)
        if people:
            requesting.people_changed(people)
    return people
