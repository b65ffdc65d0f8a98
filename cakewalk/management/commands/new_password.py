"""A new password: for somebody who has lost theirs, or for the first user of an installation."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError

from cakewalk.commands import BaseCommand
from cakewalk.models import User


class Command(BaseCommand):
    help = "Give a user a new random password and print it, this once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", nargs="?", default="admin", help="admin when left out")
        parser.add_argument(
            "--create", action="store_true", help="make the user, who may do everything, where there is none"
        )

    def handle(self, *args: Any, username: str, create: bool, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None and create:
            user = User.objects.create_superuser(username)
        if user is None:
            raise CommandError(f"There is no user named {username!r}. --create makes one.", returncode=2)
        self.stdout.write(user.renew_password())
        if not settings.LOCAL_PASSWORDS:
            self.stderr.write(
                "LOCAL_PASSWORDS is off: nobody can sign in with it before that is set to true."
            )
