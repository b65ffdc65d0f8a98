"""The tables of docs/record.md, from the code. `make record` writes them."""

from collections.abc import Iterable, Mapping

from django.utils import translation

from cakewalk.documents import library
from cakewalk.ledger.verbs import Verb
from provisioning import wording
from provisioning.actions import Kind, Situation
from provisioning.models import Action, ProvisioningJob
from tests import safety_page

PAGE = library.DOCS / "record.md"


def table(labels: Iterable[tuple[str, object]], headings: tuple[str, str] = ("word", "shown as")) -> str:
    rows = [f"| {' | '.join(headings)} |", "|---|---|"]
    return "\n".join([*rows, *(f"| `{value}` | {label} |" for value, label in labels)])


def tables() -> Mapping[str, str]:
    with translation.override("en"):
        return {
            "states of jobs": table(ProvisioningJob.State.choices),
            "triggers": table(ProvisioningJob.Trigger.choices),
            "kinds": table((kind, wording.kind(kind)) for kind in Kind),
            "states of actions": table(Action.State.choices),
            "situations": table((situation, wording.situation(situation)) for situation in Situation),
            "holds": table(wording.HOLDS.items()),
            "verbs": table(Verb.choices, ("in an entry", "shown as")),
        }


def write() -> None:
    for name, content in tables().items():
        safety_page.write(name, content, PAGE)
