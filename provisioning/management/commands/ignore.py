"""Ignore an account: it is not ours to manage."""

from provisioning.management.marking import MarkCommand
from provisioning.models import Mark


class Command(MarkCommand):
    help = "Ignore an account: it is not ours to manage, and reported as such."
    kind = Mark.Kind.IGNORED
