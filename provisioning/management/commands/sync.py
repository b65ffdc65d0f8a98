"""Run a sync, or a preview, of one integration in the foreground."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from cakewalk.commands import BaseCommand
from directory.models import Person
from integrations.models import Integration
from provisioning.management.foreground import end_with, integration_named, run_here, wrong_usage
from provisioning.models import ProvisioningJob
from provisioning.requesting import AlreadyRunning, NotEnabled, request_job

TRIES = 5
"""Live jobs of others that are waited for before giving up."""


class Command(BaseCommand):
    help = (
        "Reconcile one integration now. Exits 0 done, 3 held or refused, 4 failed, 5 inconclusive, 6 partial."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the integration")
        parser.add_argument("--preview", action="store_true", help="plan and show; change nothing")
        parser.add_argument("--person", metavar="EMAIL", help="only what concerns this person")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        integration = integration_named(options["name"])
        people = [_person(options["person"])] if options["person"] else []
        job = self._request(integration, preview=options["preview"], people=people)
        run_here(job, self.stderr)
        end_with(job, self.stdout, as_json=options["json"])

    def _request(self, integration: Integration, *, preview: bool, people: list[Person]) -> ProvisioningJob:
        for _ in range(TRIES):
            try:
                return request_job(integration, preview=preview, people=people, deliver=False)
            except NotEnabled as error:
                raise wrong_usage(str(error)) from error
            except AlreadyRunning as busy:
                self.stderr.write(f"{busy} It is finished first.")
                if busy.job:
                    run_here(busy.job, self.stderr)
        raise CommandError(f"{integration} is kept busy by other jobs; try again later.", returncode=4)


def _person(email: str) -> Person:
    found = Person.objects.with_email(email).first()
    if found is None:
        raise wrong_usage(f"Nobody in the directory answers to {email}.")
    return found
