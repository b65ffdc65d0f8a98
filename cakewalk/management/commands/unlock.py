"""Let somebody in again who was shut out after too many failures."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from cakewalk.commands import BaseCommand
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.signing_in import throttle


class Command(BaseCommand):
    help = "Forget a user's failed sign-ins, so that they can try again at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="who was shut out")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user named {username!r}.", returncode=2)
        with together():
            failures = throttle.unlock(username)
            record(Verb.UNLOCKED, user, facts={"failures": failures})
        self.stdout.write(f"{username} can sign in again; failures forgotten: {failures}.")
