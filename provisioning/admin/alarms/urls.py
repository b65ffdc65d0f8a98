"""Addresses of alarms that outlive the admin's own: for mails, tickets and chats."""

from django.urls import path

from provisioning.admin.alarms.permalink import alarm

urlpatterns = [path("<uuid:public_id>", alarm, name="alarm")]
