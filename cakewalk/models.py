"""Who signs in. A model of our own from the first migration, so that it can grow."""

from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """An operator, approver or auditor, by their groups. (A person of the directory is something else.)"""
