"""People from an LDAP server into the directory, now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from cakewalk.bar import Bar
from directory.management.telling import PlanCommand
from directory.models import LdapServer, Pull, Source
from provisioning import pulling

STATUS = {Pull.Outcome.REFUSED: 2, Pull.Outcome.FAILED: 4, Pull.Outcome.INCONCLUSIVE: 5}


class Command(PlanCommand):
    help = (
        "Ask the LDAP server of a source for everybody, in this process, and let the directory follow what "
        "it says. An answer that is not proven complete changes nothing, with status 5."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", metavar="NAME", help="the source's name")
        self.add_plan_arguments(parser)

    def handle(self, *, name: str, dry_run: bool, json: bool, **given: Any) -> None:
        server = _server_of(name)
        try:
            with Bar(self.stderr) as bar:
                pulled = (
                    pulling.preview(server, tell=bar.share)
                    if dry_run
                    else pulling.pull(server, allow_drop=given["allow_drop"], tell=bar.share)
                )
        except pulling.AtWork as error:
            raise CommandError(str(error), returncode=2) from error
        if json:
            more = {"outcome": pulled.outcome, "read": pulled.read}
            self.print_json(pulled.plan.as_json(dry_run=dry_run) | more)
        self.tell(pulled.plan, dry_run=dry_run)
        if pulled.outcome != Pull.Outcome.DONE:
            hint = " Allow it with --allow-drop." if pulled.plan.refusal else ""
            raise CommandError(f"Nothing was changed.{hint}", returncode=STATUS[Pull.Outcome(pulled.outcome)])


def _server_of(name: str) -> LdapServer:
    servers = LdapServer.objects.defer("password").select_related("source")
    if server := servers.filter(source__name=name).first():
        return server
    there = Source.objects.filter(name=name).first()
    kind = (
        f"Source {name!r} is of the kind {there.get_kind_display()!r}"
        if there
        else f"There is no source {name!r}"
    )
    raise CommandError(f"{kind}; what can be pulled is an LDAP server.", returncode=2)
