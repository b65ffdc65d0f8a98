"""Pages of access reviews: for those who run them, for reviewers, and the exceptions that came of them."""

from provisioning.reviews.admin.campaigns import CampaignAdmin
from provisioning.reviews.admin.exclusions import ExclusionAdmin

__all__ = ["CampaignAdmin", "ExclusionAdmin"]
