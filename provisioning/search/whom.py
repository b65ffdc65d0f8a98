"""Whom a typed text means, by everything that an action may know them by.

Somebody's addresses change, their account may go by another one, and a person may be deleted while actions
stay: so whoever is found by one of these is looked for by all of them.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower

from directory.emails import email_key
from directory.models import FormerEmail, Person, PersonEmail
from provisioning.models import Account, Action

MOST_PEOPLE = 20
"""So many may be meant by a name at once."""
NARROW = 5000
"""So many actions are few enough to be looked up by their ids."""
LAST = "\U0010ffff"
MOST_TOLD = 200
"""From so many actions of an address it is learned whose it was."""


@dataclass(frozen=True, slots=True)
class Whom:
    """`begins`: how an address begins, where a text is nothing more. `crowd`: more people than MOST_PEOPLE
    are called so, and none of them is looked for by name. `choices`: too many actions are about addresses
    that begin so; these are the first of the addresses, and none of them is looked for.
    """

    people: frozenset[int] = frozenset()
    addresses: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()
    begins: str = ""
    crowd: bool = False
    choices: tuple[str, ...] = ()


def meant_by(text: str) -> Whom:
    text = text.strip()
    if "@" in text:
        found = _with_all(_by_address({email_key(text), text.lower()}))
        return found if found.people or found.accounts or _is_told(found) else _begins(Whom(), text)
    if account := _by_account(text):
        return _with_all(account)
    people = _called(text)
    crowd = len(people) > MOST_PEOPLE
    return _begins(replace(known_as([] if crowd else people), crowd=crowd), text)


def known_as(people: Collection[int]) -> Whom:
    """People by their ids."""
    return _with_all(Whom(people=frozenset(people)))


def _by_address(addresses: Iterable[str]) -> Whom:
    """Whose it is, was, or is said to be: by the directory, by accounts, and by actions."""
    asked = frozenset(addresses)
    people = {*PersonEmail.objects.filter(key__in=asked).values_list("person_id", flat=True)}
    people |= {*FormerEmail.objects.filter(key__in=asked).values_list("person_id", flat=True)}
    accounts = Account.objects.alias(lower=Lower("email")).filter(lower__in=asked)
    told = Action.objects.alias(lower=Lower("email")).filter(lower__in=asked).order_by("-pk")
    pairs = [
        *accounts.values_list("remote_id", "person_id"),
        *told.values_list("account_id", "person_id")[:MOST_TOLD],
    ]
    return Whom(
        frozenset(people | {person for _, person in pairs if person}),
        asked,
        frozenset(account for account, _ in pairs if account),
    )


def _by_account(text: str) -> Whom | None:
    known = Account.objects.filter(remote_id=text).exists() or Action.objects.filter(account_id=text).exists()
    return Whom(accounts=frozenset([text])) if known else None


def _called(name: str) -> list[int]:
    found = Person.objects.filter(name__icontains=name).order_by("pk").values_list("pk", flat=True)
    return list(found[: MOST_PEOPLE + 1])


def _begins(found: Whom, text: str) -> Whom:
    """With the addresses that begin so, unless too much is about them."""
    lowered = text.lower()
    told = address_begins(Action.objects.all(), lowered).order_by()
    first = list(told.values_list(Lower("email"), flat=True)[: NARROW + 1])
    if len(first) <= NARROW:
        return replace(found, begins=lowered)
    return replace(found, choices=tuple(sorted(set(first))[:MOST_PEOPLE]))


def address_begins(actions: QuerySet[Action], text: str) -> QuerySet[Any]:
    """The actions whose address begins so, whatever its case."""
    lowered: QuerySet[Any] = actions.alias(lowered=Lower("email"))
    return lowered.filter(begins("lowered", text))


def begins(lowered: str, text: str) -> Q:
    """PostgreSQL has an index for such a LIKE (action_email_begins, ledger_email_begins). SQLite uses one for
    a range alone.
    """
    wanted = text.strip().lower()
    found = Q(**{f"{lowered}__startswith": wanted})
    if connection.vendor == "sqlite":
        found &= Q(**{f"{lowered}__gte": wanted, f"{lowered}__lt": wanted + LAST})
    return found


def _with_all(found: Whom) -> Whom:
    """With the people of the accounts, and with the addresses and the accounts of the people."""
    owners = Account.objects.filter(remote_id__in=found.accounts, person__isnull=False)
    people = found.people | {*owners.values_list("person_id", flat=True)}
    accounts = Account.objects.filter(person__in=people).values_list("remote_id", "email")
    addresses = {*PersonEmail.objects.filter(person__in=people).values_list("key", flat=True)}
    addresses |= {*FormerEmail.objects.filter(person__in=people).values_list("key", flat=True)}
    addresses |= {email.lower() for _, email in accounts if email}
    return Whom(
        people, found.addresses | addresses, found.accounts | {remote_id for remote_id, _ in accounts}
    )


def _is_told(found: Whom) -> bool:
    """Whether some action is about an address that nobody and no account answers to."""
    return Action.objects.alias(lower=Lower("email")).filter(lower__in=found.addresses).exists()
