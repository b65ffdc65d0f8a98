"""What was decided and done: access rules, marks, accounts and entitlements as last seen, jobs, actions."""

from provisioning.models.access import AccessRule, Mark, RuleGrant
from provisioning.models.accounts import Account
from provisioning.models.changes import PersonChange
from provisioning.models.entitlements import Entitlement
from provisioning.models.jobs import Action, JobLost, ProvisioningJob, ProvisioningJobQuerySet

__all__ = [
    "AccessRule",
    "Account",
    "Action",
    "Entitlement",
    "JobLost",
    "Mark",
    "PersonChange",
    "ProvisioningJob",
    "ProvisioningJobQuerySet",
    "RuleGrant",
]
