"""Alarms, the channels by which they are told, and what became of each message."""

from provisioning.admin.alarms.alarms import AlarmAdmin
from provisioning.admin.alarms.channels import ChannelAdmin
from provisioning.admin.alarms.deliveries import DeliveryAdmin

__all__ = ["AlarmAdmin", "ChannelAdmin", "DeliveryAdmin"]
