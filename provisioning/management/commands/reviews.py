"""List access reviews, or show one as evidence."""

from argparse import ArgumentParser
from typing import Any

from cakewalk.commands import BaseCommand
from provisioning.management.foreground import integration_named, print_json, wrong_usage
from provisioning.reviews import evidence
from provisioning.reviews.models import Campaign

STAFF = ("integration", "default_reviewer", "opened_by", "closed_by")


class Command(BaseCommand):
    help = (
        "List access reviews, the newest first; with a NAME, who decided what and why, and what came of it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", nargs="?", metavar="NAME", help="the review to show")
        parser.add_argument("--integration", metavar="NAME", help="only those of this one")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        found = Campaign.objects.select_related(*STAFF).order_by("-pk")
        if options["integration"]:
            found = found.filter(integration=integration_named(options["integration"]))
        if options["name"]:
            self._show(
                _one(list(found.filter(name__iexact=options["name"])), options["name"]), options["json"]
            )
        elif options["json"]:
            print_json({"reviews": [evidence.summary(one) for one in found]}, self.stdout)
        else:
            for one in found:
                self.stdout.write(_headline(evidence.summary(one)))

    def _show(self, campaign: Campaign, as_json: bool) -> None:
        document = evidence.document(campaign)
        if as_json:
            print_json(document, self.stdout)
            return
        self.stdout.write(_headline(document))
        if document["frozen"] is not None:
            self.stdout.write(
                "Its record is as it was frozen." if document["frozen"] else "Its record WAS ALTERED."
            )
        for line in document["lines"]:
            self.stdout.write(_line(line))


def _one(found: list[Campaign], name: str) -> Campaign:
    if len(found) > 1:
        raise wrong_usage(f"More than one review is named {name!r}. Say which one with --integration NAME.")
    if not found:
        raise wrong_usage(f"There is no review named {name!r}. `reviews` lists them.")
    return found[0]


def _headline(told: dict[str, Any]) -> str:
    counted = ", ".join(f"{number} {name}" for name, number in told["numbers"].items() if number)
    of = f"{told['review']} of {told['integration']}"
    return f"{of}: {told['state']}, due on {told['due_on']}; {counted or 'no lines'}."


def _line(line: dict[str, Any]) -> str:
    what = f"{line['what']} {line['name']} ({line['role'] or line['account_role']})".replace("  ", " ")
    by = f", {line['decided_by']}" if line["decided_by"] else ""
    why = f"{by}: {line['reason']}" if line["reason"] else by
    outcome = f" [{line['outcome']}]" if line["outcome"] else ""
    return f"{line['number']:>5}  {line['account']}  {what}: {line['decision']}{why}{outcome}"
