"""What was decided and done: access rules and marks, accounts as last seen, jobs and their actions."""

from provisioning.models.access import AccessRule, Mark, RuleGrant
from provisioning.models.accounts import Account
from provisioning.models.jobs import Action, JobLost, ProvisioningJob, ProvisioningJobQuerySet

__all__ = [
    "AccessRule",
    "Account",
    "Action",
    "JobLost",
    "Mark",
    "ProvisioningJob",
    "ProvisioningJobQuerySet",
    "RuleGrant",
]
