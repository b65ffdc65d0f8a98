"""What a plan is made from and judged by, gathered from rows and readings into frozen values."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from directory.emails import email_domain, email_key
from directory.snapshot import Directory
from integrations.connectors.base import AccountState, Connector, ConnectorError, Vocabulary
from integrations.models import Credential, Integration
from provisioning import accounts, credentials, history
from provisioning.actions import Action, Chain, digest, order, plan_line
from provisioning.group_planning import GroupPlanner, GroupRule
from provisioning.matching import AcceptedElsewhere, Ambiguous, Leftover, Linked, Match, Orphan, Unprovisioned
from provisioning.models import ProvisioningJob
from provisioning.planning import Left, Planner
from provisioning.policy import Exceptions, Key, Mark, Name, Policy, Resolved, Rule, resolve
from provisioning.reading import Reading
from provisioning.restoring import Loss, Restorer
from provisioning.reviews.models import Exclusion
from provisioning.reviews.revoking import Revocation, Revoker
from provisioning.safety import Facts, Limits

Line = tuple[Action, int | None]
"""An action, and the place in the plan of the action that it needs."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The plan of the active rules, and what the proposed ones would add to it.

    `to_change`: accounts that are not as they should be, whomever the job concerns.
    """

    decided: tuple[Line, ...]
    proposed: tuple[Line, ...]
    to_change: frozenset[str]

    @property
    def writes(self) -> bool:
        return any(action.writes for action, _ in self.decided)

    @property
    def takes(self) -> bool:
        return any(action.taking for action, _ in self.decided)


def draft(
    planner: Planner,
    with_proposed: Planner | None,
    matches: Sequence[Match],
    people: Collection[int] | None,
) -> Draft:
    """Plan with the active rules, and again with the proposed ones; `people` keeps the lines about them."""
    whole = planner.plan(matches)
    to_change = frozenset(
        action.account_id for chain in whole for action in chain if action.writes and action.account_id
    )
    active = whole if people is None else _plan_for(people, planner, matches)
    if with_proposed is None:
        return Draft(_flat(active), (), to_change)
    known = {_identity(chain) for chain in active}
    more = with_proposed.plan(matches) if people is None else _plan_for(people, with_proposed, matches)
    added = [chain for chain in more if _identity(chain) not in known]
    return Draft(_flat(active), _flat(added), to_change)


def draft_restore(
    ordinary: Draft,
    policy: Policy,
    lost: Sequence[Loss],
    reading: Reading,
    directory: Directory,
    *,
    job: int,
) -> Draft:
    """What gives back the takings of `job`. The ordinary plan tells which accounts are as they should be."""
    restorer = Restorer.over(job, policy, lost, reading.accounts, reading.entitlements, directory.people)
    groups = GroupPlanner(reading.groups.rules, reading.groups, policy.vocabulary).give_back(job)
    return Draft(_flat(order([*restorer.plan(lost), *groups])), (), ordinary.to_change)


def draft_review(
    ordinary: Draft,
    policy: Policy,
    revoked: Sequence[Revocation],
    reading: Reading,
    matches: Sequence[Match],
    *,
    review: str,
) -> Draft:
    """What takes what reviewers revoked, and nothing else."""
    revoker = Revoker.over(review, policy, reading.accounts, matches, reading.held)
    return Draft(_flat(revoker.plan(revoked)), (), ordinary.to_change)


def _plan_for(people: Collection[int], planner: Planner, matches: Sequence[Match]) -> list[Chain]:
    return planner.plan_for([found for found in matches if concerns(found, people)])


def concerns(found: Match, people: Collection[int]) -> bool:
    """Whether a match is about one of these people."""
    match found:
        case (
            Linked(somebody, _)
            | Leftover(somebody, _)
            | AcceptedElsewhere(somebody, _)
            | Unprovisioned(somebody)
        ):
            return somebody.id in people
        case Ambiguous(several, _):
            return any(somebody.id in people for somebody in several)
        case Orphan():
            return False


def _identity(chain: Chain) -> str:
    return digest([plan_line(action, needs=None) for action in chain])


def _flat(chains: Sequence[Chain]) -> tuple[Line, ...]:
    lines: list[Line] = []
    for chain in chains:
        first = len(lines)
        lines.extend((action, first if place else None) for place, action in enumerate(chain))
    return tuple(lines)


@dataclass(frozen=True, slots=True)
class Ground:
    """What planners of one integration stand on, whatever the rules are."""

    integration: Integration
    reading: Reading
    marks: Mapping[str, Mark]
    exceptions: Exceptions
    vocabulary: Vocabulary
    left: Mapping[str, Left]
    put_off: Mapping[int, str]
    not_made: Mapping[Name, str]
    left_with_groups: Mapping[str, frozenset[str]]

    def planner(self, rules: Sequence[Rule], of_groups: Sequence[GroupRule]) -> Planner:
        # Resolved apart: a project that only a proposed rule names is not managed yet.
        resolved = resolve(rules, self.reading.entitlements, self.not_made)
        policy = policy_of(
            self.integration,
            rules,
            resolved,
            self.reading.names,
            self.marks,
            self.exceptions,
            self.vocabulary,
        )
        for_groups = GroupPlanner(
            tuple(of_groups), self.reading.groups, self.vocabulary, self.left_with_groups
        )
        return Planner(policy, self.left, self.put_off, for_groups)


def ground(
    integration: Integration,
    rules: Sequence[Rule],
    reading: Reading,
    marks: Mapping[str, Mark],
    vocabulary: Vocabulary,
    *,
    insist: bool,
    left: Mapping[str, Left],
    now: datetime,
) -> Ground:
    """`insist`: somebody asked for this, so that lapsed invites are renewed however often they were. `left`:
    how we left the accounts.
    """
    lapsed = any(account.state is AccountState.EXPIRED for account in reading.accounts)
    not_made: Mapping[Name, str] = {}
    if resolve(rules, reading.entitlements).missing:
        not_made = history.creations_put_off(integration, reading.names, read_since=reading.began_at, now=now)
    return Ground(
        integration,
        reading,
        marks,
        Exclusion.objects.in_force().filter(integration=integration).as_values(),
        vocabulary,
        left=left,
        put_off=history.renewals_put_off(integration, now=now) if lapsed and not insist else {},
        not_made=not_made,
        left_with_groups=history.left_with_groups(integration) if reading.groups.rules else {},
    )


def planners(on: Ground, rules: Sequence[Rule]) -> tuple[Planner, Planner | None]:
    """The planner of the active rules, and one that takes the proposed ones as active, if there are any."""
    groups = on.reading.groups.rules
    active = [rule for rule in rules if not rule.proposed]
    active_groups = [rule for rule in groups if not rule.proposed]
    proposes = len(active) < len(rules) or len(active_groups) < len(groups)
    return on.planner(active, active_groups), on.planner(rules, groups) if proposes else None


def policy_of(
    integration: Integration,
    rules: Sequence[Rule],
    resolved: Resolved,
    names: Mapping[Key, str],
    marks: Mapping[str, Mark],
    exceptions: Exceptions,
    vocabulary: Vocabulary,
) -> Policy:
    return Policy(
        rules=tuple(rules),
        vocabulary=vocabulary,
        resolved=resolved,
        names=names,
        marks=marks,
        exceptions=exceptions,
        managed_domains=frozenset(email_domain(f"@{domain}") for domain in integration.domains()),
        remove_orphans=integration.orphans == Integration.Orphans.REMOVE,
        renew_invites=integration.renew_invites,
    )


def owner_ids(integration: Integration, reading: Reading, vocabulary: Vocabulary) -> frozenset[str]:
    """As they were read. Who was not looked at is what they were when they were."""
    unread: Collection[str] = ()
    if reading.ids_if_some is not None:
        unread = set(accounts.known_owners(integration, vocabulary.owner_role)) - reading.ids_if_some
    return frozenset(unread) | frozenset(
        account.id
        for account in reading.accounts
        if account.state is AccountState.ACTIVE
        and account.role == vocabulary.owner_role
        and not account.is_service
    )


def credential_owner(integration: Integration, connector: Connector, *, asked: bool) -> str | None:
    """Whose key we work with. The remote must tell when somebody would lose something, and is asked for news
    of the key once an hour; that it does not answer then is no reason to end the job.
    """
    credential = Credential.objects.defer("secret").get(integration=integration)
    needed = asked and not credential.owner_id
    if needed or credentials.are_old(credential, now=timezone.now()):
        try:
            credentials.learn(credential, connector.fetch_credential_facts(), now=timezone.now())
        except ConnectorError:
            if needed:
                raise
    return credential.owner_id or None


def facts(
    job: ProvisioningJob,
    directory: Directory,
    reading: Reading,
    marks: Mapping[str, Mark],
    owners: frozenset[str],
    credential_owner: str | None,
    *,
    now: datetime,
) -> Facts:
    integration = job.integration
    protected = frozenset(key for key, mark in marks.items() if mark.kind == "protected")
    return Facts(
        active_people=directory.active,
        accounts=len(reading.accounts) if reading.whole else accounts.number_known(integration),
        owners=owners,
        credential_owner=credential_owner,
        protected=protected,
        protected_accounts=frozenset(
            account.id
            for account in reading.accounts
            if account.email and email_key(account.email) in protected
        ),
        sources_before=history.sources_before(integration),
        sources_now=directory.active_by_source,
        taken_recently=history.taken_recently(job, now=now),
        first_applying=history.is_first_applying(integration),
        members_before=accounts.number_of_members(integration),
        members_vanished=len(reading.vanished),
        restores=job.restores_id,
        review=job.reviews.name if job.reviews else "",
    )


def limits(integration: Integration, mode: str) -> Limits:
    return Limits(
        mode=mode,
        removal_limit_count=integration.removal_limit_count,
        removal_limit_percent=integration.removal_limit_percent,
        hold_everything_over_limit=integration.over_limit == Integration.OverLimit.HOLD_ALL,
        hold_first_removals=integration.first_removals == Integration.FirstRemovals.HOLD,
        minimum_owners=integration.minimum_owners,
        vanished_percent=integration.vanished_percent,
    )
