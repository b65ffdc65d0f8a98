"""Staff pages of provisioning: jobs and their actions, accounts, access rules, marks."""

from provisioning.admin.accounts import AccountAdmin, MarkAdmin
from provisioning.admin.jobs import ActionAdmin, ProvisioningJobAdmin
from provisioning.admin.rules import AccessRuleAdmin

__all__ = ["AccessRuleAdmin", "AccountAdmin", "ActionAdmin", "MarkAdmin", "ProvisioningJobAdmin"]
