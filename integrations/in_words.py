"""What an integration's settings mean, in sentences for staff."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from cakewalk.words import called, grouped
from integrations.connectors.base import Connector
from integrations.models import Integration

Mode = Integration.Mode

MEANS = {
    Mode.OBSERVE: gettext_lazy("Everything is read and compared, and nothing is changed."),
    Mode.EXTEND: gettext_lazy("People are invited, and roles and grants are given. Nothing is taken away."),
    Mode.MANAGE: gettext_lazy(
        "Everything that the access rules ask for is done: giving, changing and taking away."
    ),
}


def recognized(connector: type[Connector]) -> list[dict[str, Any]]:
    """What the key field says of what is pasted, for its script."""
    return [asdict(kind) | {"sentence": called(kind.sentence)} for kind in connector.recognized]


def mode(name: str) -> str:
    return str(MEANS[Mode(name)])


def schedule(integration: Integration) -> str:
    every = ngettext(
        "Everything is read every minute, and at once when a rule or a group changes.",
        "Everything is read every %(number)d minutes, and at once when a rule or a group changes.",
        integration.sync_every_minutes,
    )
    return every % {"number": integration.sync_every_minutes}


def limits(integration: Integration, accounts: int) -> Iterable[str]:
    """What waits for an approver, and what is never done."""
    yield _takings(integration, accounts)
    if integration.first_removals == Integration.FirstRemovals.HOLD:
        yield _("The first takings in mode manage wait for an approver, however few they are.")
    yield _(
        "When more than %(percent)d %% of the members are missing since the last read, everything waits."
    ) % {"percent": integration.vanished_percent}
    owners = ngettext(
        "At least %(number)d owner remains, whatever the rules say.",
        "At least %(number)d owners remain, whatever the rules say.",
        integration.minimum_owners,
    )
    yield owners % {"number": integration.minimum_owners}
    if domains := sorted(integration.domains()):
        yield _("Only addresses in %(domains)s are managed.") % {"domains": ", ".join(domains)}
    if integration.orphans == Integration.Orphans.REMOVE:
        yield _("Accounts that are nobody's are removed, unless they are owners.")
    else:
        yield _("Accounts that are nobody's are reported, and stay.")


def _takings(integration: Integration, accounts: int) -> str:
    """The larger of the two limits, as safety reckons it."""
    limit = max(integration.removal_limit_count, accounts * integration.removal_limit_percent // 100)
    free = ngettext(
        "%(limit)s account of %(accounts)s may lose something in 24 hours without an approval.",
        "%(limit)s accounts of %(accounts)s may lose something in 24 hours without an approval.",
        limit,
    ) % {"limit": grouped(limit), "accounts": grouped(accounts)}
    if integration.over_limit == Integration.OverLimit.HOLD_ALL:
        return _("%(free)s Beyond that, the whole plan waits.") % {"free": free}
    return _("%(free)s Beyond that, what takes away waits, and the rest is done.") % {"free": free}
