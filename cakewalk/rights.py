"""What somebody's roles add up to, in plain words."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cakewalk.models import User
from integrations import permitting
from integrations.models import Integration

SAYS: Sequence[tuple[str, Any]] = (
    ("provisioning.view_provisioningjob", gettext_lazy("Look at jobs, accounts, rules and what was done")),
    ("ledger.view_entry", gettext_lazy("Read the ledger")),
    ("ledger.export_entry", gettext_lazy("Take the ledger away as a file")),
    ("evidence.add_evidencepack", gettext_lazy("Make evidence packs")),
    ("directory.view_person", gettext_lazy("Look at people, groups and sources of the directory")),
    ("directory.change_person", gettext_lazy("Change people and groups, and import files of people")),
    ("integrations.add_integration", gettext_lazy("Connect integrations")),
    ("integrations.change_integration", gettext_lazy("Change settings and mode, enable and disable")),
    ("integrations.enter_credential", gettext_lazy("Enter, replace and rotate keys")),
    ("provisioning.change_accessrule", gettext_lazy("Write access rules")),
    ("provisioning.change_mark", gettext_lazy("Set accounts apart, and say whose they are")),
    ("provisioning.run_job", gettext_lazy("Start, cancel, release and restore jobs")),
    ("provisioning.approve_job", gettext_lazy("Approve and reject what is held")),
    ("reviews.change_campaign", gettext_lazy("Run access reviews")),
    ("reviews.review_access", gettext_lazy("Decide in access reviews, when asked")),
    ("alarms.change_channel", gettext_lazy("Say where alarms are told")),
    ("retention.change_retention", gettext_lazy("Say for how long records are kept")),
)
"""The permissions that stand for what somebody may do. Those that are not here go with one of these."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What they may do, everywhere or on one integration."""

    where: str
    says: Sequence[str]


def rights_of(user: User) -> list[Rights]:
    if not (user.is_active and user.is_staff):
        return [Rights(_("Everywhere"), [_("Nothing: they cannot sign in to these pages.")])]
    if user.is_superuser:
        return [Rights(_("Everywhere"), [_("Everything, and users and roles besides.")])]
    everywhere = _says(user.get_all_permissions())
    there = permitting.held_on(user)
    names = Integration.objects.in_bulk(there)
    told = [
        Rights(names[pk].name, further)
        for pk, held in there.items()
        if (further := [sentence for sentence in _says(held) if sentence not in everywhere])
    ]
    if everywhere or not told:
        nothing = _("Nothing: they may sign in, and no more.")
        told.insert(0, Rights(_("Everywhere"), everywhere or [nothing]))
    return told


def _says(held: Collection[str]) -> list[str]:
    return [str(sentence) for permission, sentence in SAYS if permission in held]
