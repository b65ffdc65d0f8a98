"""What the form of a rule offers: states as steps, the roles of the chosen kind, and names that were read."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.db.models.functions import Lower
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cakewalk.words import called
from integrations.catalog import connector_class
from integrations.connectors.base import Vocabulary
from integrations.models import Integration
from provisioning.models import AccessRule, Entitlement

OFFERED = 20
"""So many names are offered at once; whoever types on finds the others."""

State = AccessRule.State

STEPS = {
    State.DRAFT: (gettext_lazy("Draft"), gettext_lazy("Kept here while you write it. No plan looks at it.")),
    State.PROPOSED: (
        gettext_lazy("Proposed"),
        gettext_lazy("Planned and shown with every preview and sync. Never carried out."),
    ),
    State.ACTIVE: (
        gettext_lazy("Active"),
        gettext_lazy("Carried out from the next sync on, as far as mode and limits allow."),
    ),
}
"""Name and meaning of each state, in the order in which a rule goes through them."""


class StateSteps(forms.RadioSelect):
    template_name = "provisioning/state_steps.html"

    def create_option(self, name: str, value: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return super().create_option(name, value, *args, **kwargs) | {"meaning": STEPS[value][1]}


class StateField(forms.ChoiceField):
    widget = StateSteps

    def __init__(self, **given: Any) -> None:
        choices = [(str(state), name) for state, (name, _meaning) in STEPS.items()]
        super().__init__(choices=choices, label=gettext_lazy("State"), initial=str(State.DRAFT), **given)


def vocabularies() -> dict[str, Any]:
    """By the id of each integration, what may be chosen there, for the form's script."""
    return {
        str(pk): _offer(connector_class(kind).vocabulary)
        for pk, kind in Integration.objects.order_by("pk").values_list("pk", "kind")
    }


def _offer(vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "roles": [[role, meaning(vocabulary, "", role)] for role in vocabulary.roles],
        "kinds": {
            kind: {
                "roles": [[role, meaning(vocabulary, kind, role)] for role in roles],
                "usual": vocabulary.usual_role(kind),
                "creatable": kind in vocabulary.creatable,
            }
            for kind, roles in vocabulary.entitlement_roles.items()
        },
        "group": (vocabulary.groups_hold or ("", ""))[0],
        "place": (vocabulary.groups_hold or ("", ""))[1],
    }


def meaning(vocabulary: Vocabulary, kind: str, role: str) -> str:
    told = vocabulary.meanings.get((kind, role), "")
    return _(told) if told else ""


def meanings(found: list[Vocabulary]) -> list[dict[str, Any]]:
    """Of all roles of all connectors, for reading."""
    told: dict[str, dict[str, str]] = {}
    for vocabulary in found:
        for kind, roles in {"": vocabulary.roles, **vocabulary.entitlement_roles}.items():
            heading = capfirst(called(kind)) if kind else _("Organization")
            told.setdefault(heading, {}).update({role: meaning(vocabulary, kind, role) for role in roles})
    return [{"heading": heading, "roles": list(roles.items())} for heading, roles in told.items()]


def words() -> dict[str, str]:
    """What the form's script says."""
    return {
        "stale": _("The rule was changed since. Show who it touches once more."),
        "refused": _("It could not be worked out: the server answered {status}, number {id} in its log."),
        "silent": _("It could not be worked out: the server cannot be reached."),
        "other": _("It could not be worked out: another page came in its place, such as the one to sign in."),
        "working": _("Being worked out. Where there are many people, that takes some seconds."),
        "missing": _("Not there as of the last complete read."),
        "missingCreatable": _("Not there as of the last complete read. Tick create to have it made."),
    }


def names_like(integration: Integration, kind: str, typed: str) -> dict[str, Any]:
    """What the last complete reads know of this kind, the likeliest first. `exact`: of the very name that is
    typed; `known`: whether anything of the kind was ever read.
    """
    there = Entitlement.objects.filter(integration=integration, kind=kind, gone_at=None)
    found = _like(there, typed)
    exact = next((row for row in found if row.name.casefold() == typed.casefold()), None)
    return {
        "names": [{"name": row.name, "note": note(row)} for row in found],
        "exact": note(exact) if exact else None,
        "known": bool(found) or there.exists(),
    }


def _like(there: QuerySet[Entitlement], typed: str) -> list[Entitlement]:
    """Those that begin so come first, so that the whole name always finds itself."""
    by_name = there.order_by(Lower("name"), "pk")
    first = list(by_name.filter(name__istartswith=typed)[:OFFERED])
    within = by_name.filter(name__icontains=typed).exclude(pk__in=[row.pk for row in first])
    return first + list(within[: OFFERED - len(first)])


def note(row: Entitlement) -> str:
    if row.unmanageable:
        return _("Left alone: %(why)s") % {"why": row.unmanageable}
    if row.holders is None:
        return _("There; no rule has named it yet.")
    return ngettext(
        "There; %(number)d member holds it.", "There; %(number)d members hold it.", row.holders
    ) % {"number": row.holders}


def missing(rules: Mapping[int, list[tuple[str, str]]]) -> dict[int, set[tuple[str, str]]]:
    """What of the named things (kind, name without case; by the id of the integration) is not there, or left
    alone. Of a kind that was never read nothing is said, nor before the first complete read.
    """
    known: dict[tuple[int, str], dict[str, bool]] = {}
    wanted = {name for named in rules.values() for _kind, name in named}
    rows = Entitlement.objects.filter(integration__in=rules, gone_at=None)
    kinds = set(rows.order_by().values_list("integration_id", "kind").distinct())
    for pk, kind, name, unmanageable in (
        rows.annotate(key=Lower("name"))
        .filter(key__in=wanted)
        .values_list("integration_id", "kind", "key", "unmanageable")
    ):
        known.setdefault((pk, kind), {})[name] = not unmanageable
    return {
        pk: {
            (kind, name)
            for kind, name in named
            if (pk, kind) in kinds and not known.get((pk, kind), {}).get(name)
        }
        for pk, named in rules.items()
    }
