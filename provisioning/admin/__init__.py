"""Staff pages of provisioning: jobs and their actions, accounts, keys, access rules, marks."""

from provisioning.admin.accounts import AccountAdmin, MarkAdmin
from provisioning.admin.actions import ActionAdmin
from provisioning.admin.alarms import AlarmAdmin, ChannelAdmin, DeliveryAdmin
from provisioning.admin.entitlements import EntitlementAdmin
from provisioning.admin.evidence import EvidencePackAdmin
from provisioning.admin.group_rules import GroupRuleAdmin
from provisioning.admin.jobs import ProvisioningJobAdmin
from provisioning.admin.keys import KeyAdmin
from provisioning.admin.ledger import EntryAdmin
from provisioning.admin.retention import RetentionAdmin
from provisioning.admin.rules import AccessRuleAdmin

__all__ = [
    "AccessRuleAdmin",
    "AccountAdmin",
    "ActionAdmin",
    "AlarmAdmin",
    "ChannelAdmin",
    "DeliveryAdmin",
    "EntitlementAdmin",
    "EntryAdmin",
    "EvidencePackAdmin",
    "GroupRuleAdmin",
    "KeyAdmin",
    "MarkAdmin",
    "ProvisioningJobAdmin",
    "RetentionAdmin",
]
