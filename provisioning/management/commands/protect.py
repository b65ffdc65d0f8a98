"""Protect an account: it is never touched."""

from provisioning.management.marking import MarkCommand
from provisioning.models import Mark


class Command(MarkCommand):
    help = "Protect an account: whatever the directory says, it is never touched."
    kind = Mark.Kind.PROTECTED
