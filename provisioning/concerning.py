"""Which integrations a change of people is about, in as many queries for a thousand of them as for one."""

from collections.abc import Collection, Mapping, Sequence

from django.db.models import Exists, OuterRef
from django.db.models.functions import Lower

from directory.bulk import batches
from directory.models import Membership, PersonEmail
from integrations.models import Integration
from provisioning.models import AccessRule, Account, ProvisioningJob

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
