"""What somebody leaves behind in OpenAI, of all that is listed: keys, service accounts without a person."""

from collections.abc import Collection

from integrations.connectors.base import Keys, Residue, Unattended


def of(found: Keys, account_ids: Collection[str]) -> Residue:
    theirs = tuple(
        key for key in found.keys if key.owner_id in account_ids and not (key.is_ours or key.of_machine)
    )
    alone: dict[str, list[str]] = {}
    for key in found.keys:
        if key.unattended:
            alone.setdefault(key.place, []).append(key.name)
    unattended = tuple(Unattended(place, tuple(names)) for place, names in alone.items())
    return Residue(theirs, unattended, found.unread)
