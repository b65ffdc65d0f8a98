"""Which reviews need whoever runs them."""

from datetime import date

from django.db.models import Exists, OuterRef, Q

from provisioning.models import ProvisioningJob
from provisioning.reviews.models import Campaign, Item


def attention(day: date) -> list[Campaign]:
    """Open ones past their last day, and finished ones of which no job took what was revoked, or is about to.

    A job that ended with less than all is for whoever approved it to judge, and told on the review's page.
    """
    jobs = ProvisioningJob.objects.filter(reviews=OuterRef("pk"))
    came_to_nothing = (
        ProvisioningJob.State.CANCELLED,
        ProvisioningJob.State.FAILED,
        ProvisioningJob.State.INCONCLUSIVE,
        ProvisioningJob.State.REFUSED,
    )
    # A rejection is a decision; what expired or failed is none.
    settled = jobs.exclude(state__in=came_to_nothing) | jobs.filter(rejected_at__isnull=False)
    revoked = Item.objects.revoked().filter(campaign=OuterRef("pk"))
    overdue = Q(state=Campaign.State.OPEN, due_on__lt=day)
    left = Q(Exists(revoked), ~Exists(settled), state=Campaign.State.FINISHED, job_wanted_by=None)
    return list(Campaign.objects.filter(overdue | left).order_by("due_on", "pk"))
