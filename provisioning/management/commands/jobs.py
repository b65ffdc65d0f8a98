"""List jobs, the newest first."""

from argparse import ArgumentParser
from datetime import date
from typing import Any

from cakewalk.commands import BaseCommand
from directory.time_zones import midnight
from provisioning.history import counts_by_job, job_summary
from provisioning.management.foreground import headline, integration_named, print_json
from provisioning.models import ProvisioningJob


class Command(BaseCommand):
    help = "List jobs, the newest first, without their actions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--integration", metavar="NAME", help="only those of this one")
        parser.add_argument("--since", type=date.fromisoformat, metavar="DATE", help="as 2026-01-31")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        jobs = ProvisioningJob.objects.select_related("integration").all()
        if options["integration"]:
            jobs = jobs.filter(integration=integration_named(options["integration"]))
        if options["since"]:
            jobs = jobs.filter(requested_at__gte=midnight(options["since"]))
        listed = list(jobs.order_by("-pk"))
        counted = counts_by_job(listed)
        documents = [job_summary(job, counted[job.pk]) for job in listed]
        if options["json"]:
            print_json({"jobs": documents}, self.stdout)
            return
        for document in documents:
            self.stdout.write(headline(document))
