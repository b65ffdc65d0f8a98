"""Which integrations a change of people is about, in as many queries for a thousand of them as for one; and
whom an integration is about, that not each of a thousand reads the whole directory.
"""

from collections.abc import Collection, Mapping, Sequence

from django.db.models import Exists, OuterRef
from django.db.models.functions import Lower

from directory.bulk import batches
from directory.emails import email_key
from directory.models import Membership, Person, PersonEmail
from integrations.models import Integration
from provisioning.models import AccessRule, Account, ProvisioningJob
from provisioning.policy import Rule

SHARE = 4
"""Read one by one, a person costs some three times as much as in a read of all."""

Concerned = Mapping[frozenset[int], Sequence[Integration]]
"""Integrations by the people, whom all of these have in common."""


def integrations_by_people(people: Collection[int]) -> Concerned:
    """Where an active rule may give somebody something, or somebody has an account or is known to; and where
    nothing was read yet, all of them. No other integration has anything to do for them.
    """
    about: dict[int, set[int]] = {}
    for some in batches(sorted(set(people))):
        _note_accounts(about, some)
        _note_rules(about, some)
    reads = ProvisioningJob.objects.complete_reads().filter(integration=OuterRef("pk"))
    enabled = Integration.objects.enabled()
    unread = set(enabled.exclude(Exists(reads)).values_list("pk", flat=True))
    by_people: dict[frozenset[int], list[Integration]] = {}
    for integration in enabled.filter(pk__in={*about, *unread}).order_by("pk"):
        concerned = frozenset(people if integration.pk in unread else about[integration.pk])
        if concerned:
            by_people.setdefault(concerned, []).append(integration)
    return by_people


def _note_accounts(about: dict[int, set[int]], people: Collection[int]) -> None:
    present = Account.objects.filter(gone_at=None)
    for integration, person in present.filter(person__in=people).values_list("integration", "person"):
        about.setdefault(integration, set()).add(person)
    by_key = dict(PersonEmail.objects.filter(person__in=people).values_list("key", "person"))
    by_address = present.annotate(key=Lower("email")).filter(key__in=by_key)
    for integration, key in by_address.values_list("integration", "key"):
        about.setdefault(integration, set()).add(by_key[key])


def _note_rules(about: dict[int, set[int]], people: Collection[int]) -> None:
    members: dict[int | None, set[int]] = {None: set(people)}
    for group, person in Membership.objects.filter(person__in=people).values_list("group", "person"):
        members.setdefault(group, set()).add(person)
    active = AccessRule.objects.filter(state=AccessRule.State.ACTIVE)
    for integration, group in active.values_list("integration", "group").distinct():
        if group in members:
            about.setdefault(integration, set()).update(members[group])


def people_of(
    integration: Integration, rules: Sequence[Rule], emails: Collection[str]
) -> Collection[int] | None:
    """Everybody to whom these rules may give something, who has one of these addresses, or to whom an account
    was ever matched. A plan has nothing about anybody else. None where that is a large part of the directory,
    or may be.

    `emails`: of the accounts that were read, and of the invites that were accepted.
    """
    groups, most = {rule.group for rule in rules}, Person.objects.count() // SHARE
    if None in groups or len(emails) > most:
        return None
    members = Membership.objects.filter(group__in=groups).values_list("person", flat=True)
    found = set(members[: most + 1])
    matched = Account.objects.filter(integration=integration, person__isnull=False)
    found.update(matched.values_list("person", flat=True)[: most + 1])
    for keys in batches(sorted({email_key(email) for email in emails if email})):
        found.update(PersonEmail.objects.filter(key__in=keys).values_list("person", flat=True))
    return found if len(found) <= most else None
