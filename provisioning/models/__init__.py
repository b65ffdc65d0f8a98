"""What was decided and done: access rules, marks, jobs and actions; what was last seen of each remote."""

from provisioning.models.access import AccessRule, Mark, RuleGrant
from provisioning.models.accounts import Account
from provisioning.models.changes import PersonChange
from provisioning.models.entitlements import Entitlement
from provisioning.models.groups import GroupGrant, GroupRule
from provisioning.models.jobs import Action, JobLost, ProvisioningJob, ProvisioningJobQuerySet
from provisioning.models.keys import Key

__all__ = [
    "AccessRule",
    "Account",
    "Action",
    "Entitlement",
    "GroupGrant",
    "GroupRule",
    "JobLost",
    "Key",
    "Mark",
    "PersonChange",
    "ProvisioningJob",
    "ProvisioningJobQuerySet",
    "RuleGrant",
]
