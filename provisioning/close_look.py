"""Whoever is to have nothing any more is looked at alone: by their known accounts, without reading everybody.

A removal needs no more than the account that goes. All else needs the whole organization: that somebody has
no account yet, and what they hold, only complete lists can tell.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from django.db.models.functions import Lower
from django.utils import timezone

from directory import snapshot
from directory.emails import email_key
from directory.models import Person, PersonEmail
from integrations.connectors.base import Account as Seen
from integrations.connectors.base import AccountState, Connector, Entitlement, Vocabulary
from integrations.models import Integration
from provisioning import accounts, history, inventory
from provisioning.models import AccessRule, Account
from provisioning.policy import Policy, resolve
from provisioning.reading import Reading
from provisioning.reviews.models import Exclusion

Rows = Mapping[int, Sequence[Account]]
"""The accounts that are known to be somebody's, by the id of the person."""


def clear_leavers(
    integration: Integration, people: Collection[int], vocabulary: Vocabulary, *, now: datetime
) -> Rows:
    """Those of the people to whom no rule gives anything now, and of whose accounts there is no doubt.

    Nobody, before everything was read once: then it is not known what there is.
    """
    if not history.was_read(integration):
        return {}
    found = Person.objects.filter(pk__in=people).prefetch_related("addresses", "groups")
    leaving = list(_given_nothing((person.as_value(now) for person in found), integration, vocabulary))
    by_key = {key: person.id for person in leaving for key in person.keys}
    rows = _accounts(integration, [person.id for person in leaving], by_key)
    holders = _holders(rows)
    known: dict[int, list[Account]] = {person.id: [] for person in leaving}
    for row in rows:
        concerned = {row.person_id, by_key.get(email_key(row.email)), holders.get(email_key(row.email))}
        concerned.discard(None)
        if row.situation == "matched" and concerned == {row.person_id}:
            known[row.person_id or 0].append(row)
        else:
            for person_id in concerned & known.keys():
                known.pop(person_id or 0)
    return known


def _given_nothing(
    people: Iterable[snapshot.Person], integration: Integration, vocabulary: Vocabulary
) -> Iterable[snapshot.Person]:
    rules = integration.rules.filter(state=AccessRule.State.ACTIVE).as_values()
    exceptions = Exclusion.objects.in_force().filter(integration=integration).as_values()
    policy = Policy(rules, vocabulary, resolve(rules, ()), exceptions=exceptions)
    return (person for person in people if policy.target_for(person) is None)


def _accounts(integration: Integration, people: Collection[int], keys: Collection[str]) -> list[Account]:
    present = integration.accounts.filter(gone_at=None)
    by_address = present.alias(key=Lower("email")).filter(key__in=keys)
    return list((present.filter(person__in=people) | by_address.exclude(person__in=people)).order_by("pk"))


def _holders(rows: Sequence[Account]) -> Mapping[str, int]:
    """Who in the directory answers to the accounts' addresses now."""
    keys = [email_key(row.email) for row in rows if row.email]
    return dict(PersonEmail.objects.filter(key__in=keys).values_list("key", "person_id"))


def look_closely(integration: Integration, rows: Rows, connector: Connector) -> Reading | None:
    """Each account by its id. None where one is not there: removed, or an invite that was accepted. Then the
    lists must tell.
    """
    began_at, started = timezone.now(), time.monotonic()
    seen: list[Seen] = []
    for row in (row for of_person in rows.values() for row in of_person):
        account = connector.fetch_account(row.remote_id, _asked_as(row))
        if account is None:
            return None
        # What it holds was not asked for. As it was last seen, it is written down with what is taken.
        seen.append(account.holding(accounts.as_seen(row).grants, account.inside))
    return Reading(
        accounts=tuple(seen),
        entitlements=_held(integration, seen),
        listings=(),
        calls=connector.calls,
        began_at=began_at,
        seconds=time.monotonic() - started,
        whole=False,
    )


def _held(integration: Integration, seen: Sequence[Seen]) -> tuple[Entitlement, ...]:
    names = inventory.names(integration)
    held = {(grant.kind, grant.id) for account in seen for grant in account.grants}
    return tuple(Entitlement(*key, names[key]) for key in sorted(held & names.keys()))


def _asked_as(row: Account) -> AccountState:
    return AccountState.ACTIVE if row.state == AccountState.ACTIVE else AccountState.INVITED
