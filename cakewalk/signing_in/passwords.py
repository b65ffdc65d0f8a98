"""Signing in with a password that is kept here."""

from django.contrib.auth.backends import ModelBackend


class PasswordBackend(ModelBackend):
    """Django's own. That it has a name of ours lets it be refused: see LOCAL_PASSWORDS."""
