"""Addresses of jobs that outlive the admin's own: for mails, tickets and chats."""

from django.urls import path

from provisioning.admin.permalink import job

urlpatterns = [path("<uuid:public_id>", job, name="job")]
