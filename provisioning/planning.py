"""From matches and policy to a plan: what to do about each person and account, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from directory.emails import email_key
from directory.snapshot import Person
from integrations.connectors.base import Account, AccountState, Entitlement, Grant
from provisioning.actions import Action, Chain, Kind, Situation, named, order, picture
from provisioning.group_planning import GroupPlanner
from provisioning.matching import (
    AcceptedElsewhere,
    Ambiguous,
    Leftover,
    Linked,
    Match,
    Orphan,
    Unprovisioned,
)
from provisioning.policy import Key, Name, Policy, Target

OUT_OF_REACH = (
    "The {held.kind} {held.name!r} is not given: its holder must be in the {place} first, and no rule gives "
    "that."
)


@dataclass(frozen=True, slots=True)
class Left:
    """How we left an account: what the last job saw or did. A remote that differs from it has drifted."""

    role: str | None
    grants: frozenset[Grant]

    def is_still_so(self, account: Account) -> bool:
        """Asked of every account; to make a set of what each holds would take longer than to look it up."""
        return (
            self.role == account.role
            and len(self.grants) == len(account.grants)
            and self.grants.issuperset(account.grants)
        )


@dataclass(frozen=True, slots=True)
class Member:
    """A person with a membership and what they should have."""

    person: Person
    account: Account
    target: Target
    situation: Situation

    def action(self, kind: Kind, **what: Any) -> Action:
        return Action(
            kind,
            self.situation,
            _email(self.person, self.account),
            account_id=self.account.id,
            person_id=self.person.id,
            **what,
        )


@dataclass(frozen=True, slots=True)
class Planner:
    """The decisions about one integration, as methods over its policy. Holds nothing that changes."""

    policy: Policy
    left: Mapping[str, Left] = field(default_factory=dict)
    put_off: Mapping[int, str] = field(default_factory=dict)
    """Why whose lapsed invite, by person id, is not renewed now."""
    groups: GroupPlanner | None = None

    def plan(self, matches: Iterable[Match]) -> list[Chain]:
        chains = self._decide_all(matches)
        chains += [
            (Action(Kind.REPORT, Situation.RULE_PROBLEM, "", rule=problem.rule, detail=problem.detail),)
            for problem in self.policy.resolved.problems
        ]
        chains += self.groups.plan() if self.groups else []
        return order([*chains, *self.creations(self.policy.resolved.missing)])

    def plan_for(self, matches: Sequence[Match]) -> list[Chain]:
        """The plan about these alone, with what must be made for them."""
        awaited = {name: None for found in matches for name in self._awaited_by(found)}
        return order([*self._decide_all(matches), *self.creations(awaited)])

    def _decide_all(self, matches: Iterable[Match]) -> list[Chain]:
        return _told_once([chain for found in matches for chain in self.decide(found)])

    def _awaited_by(self, found: Match) -> Iterable[Name]:
        match found:
            case Unprovisioned(person) | Linked(person, _) | AcceptedElsewhere(person, _):
                target = self.policy.target_for(person)
                return target.awaited if target else ()
            case _:
                return ()

    def creations(self, names: Iterable[Name]) -> list[Chain]:
        """What rules name, and want to be made. What it is good for follows when its id is known."""
        missing = (self.policy.resolved.missing[name] for name in names)
        return [
            (
                Action(
                    Kind.CREATE,
                    Situation.MISSING,
                    "",
                    entitlement=Entitlement(one.kind, "", one.name),
                    rule=", ".join(one.rules),
                ),
            )
            for one in missing
        ]

    def decide(self, found: Match) -> list[Chain]:
        match found:
            case Linked(person, account):  # nearly all
                return self._set_apart(account, person) or self._align(person, account)
            case Ambiguous(people, accounts):
                return self._ambiguous(people, accounts)
            case Orphan(account):
                return self._set_apart(account) or self._orphan(account)
            case Unprovisioned(person):
                return self._joiner(person)
            case Leftover(person, account):
                return self._leftover(person, account)
            case AcceptedElsewhere(person, account):
                return self._accepted_elsewhere(person, account)

    # -- accounts that are nobody's, or not ours to touch

    def _set_apart(self, account: Account, person: Person | None = None) -> list[Chain]:
        """Protected, ignored, fed by another system, or outside the managed domains: say so, do nothing."""
        mark = self.policy.mark_on(account.email, *(person.keys if person else ()))
        if mark:
            return [self._report(account, Situation(mark.kind), f"Marked {mark.kind}: {mark.reason}", person)]
        if account.is_service:
            return [
                self._report(account, Situation.SERVICE_ACCOUNT, "A service account, not a person.", person)
            ]
        if account.managed_elsewhere:
            return [
                self._report(
                    account,
                    Situation.MANAGED_ELSEWHERE,
                    "Fed by the remote's own SCIM directory, so never changed here.",
                    person,
                )
            ]
        if not self.policy.manages(account.email):
            return [
                self._report(
                    account,
                    Situation.OUTSIDE_DOMAINS,
                    "The address lies outside the managed domains.",
                    person,
                )
            ]
        return []

    def _orphan(self, account: Account) -> list[Chain]:
        # Whose an account without an address is, nobody can tell: not even that it is nobody's.
        if self.policy.remove_orphans and account.email and not self.policy.is_owner(account):
            return self._take_away(
                account, None, Situation.ORPHAN, "Nobody in the directory answers to this account."
            )
        owner = " It is an owner." if self.policy.is_owner(account) else ""
        return [
            self._report(
                account, Situation.ORPHAN, f"Nobody in the directory answers to this account.{owner}"
            )
        ]

    def _leftover(self, person: Person, account: Account) -> list[Chain]:
        """An open invite must not outlast the membership that it stands behind: it would be a way back in. A
        lapsed one is cleared away with that, and not only when it is all that is left.
        """
        if self.policy.target_for(person):
            return []
        if self._set_apart(account, person):
            return []  # the line of the other account says so
        invite = "A lapsed" if account.state is AccountState.EXPIRED else "An open"
        why = f"{invite} invite to somebody who has another account, and is no longer entitled."
        return self._take_away(account, person, Situation.LEAVER, why)

    def _accepted_elsewhere(self, person: Person, account: Account) -> list[Chain]:
        """Inviting again would make a second account, and removing the one that is there perhaps their first.
        A mark on it says that it is somebody else's.
        """
        if apart := self._set_apart(account):
            return [*apart, *self._joiner(person)]
        if self.policy.target_for(person) is None:
            return self._orphan(account)
        detail = (
            f"The invite to {person.email} was accepted, and {account.email or account.id} joined at that "
            "moment: perhaps the same person. Link the two, or mark the account as ignored."
        )
        return [self._report(account, Situation.ACCEPTED_ELSEWHERE, detail, person)]

    def _ambiguous(self, people: Sequence[Person], accounts: Sequence[Account]) -> list[Chain]:
        who = ", ".join(person.email for person in people)
        what = ", ".join(account.email or account.id for account in accounts)
        detail = f"More than one fits: people {who}; accounts {what}. Link the right pair by hand."
        return [
            (
                Action(
                    Kind.REPORT, Situation.AMBIGUOUS, people[0].email, person_id=people[0].id, detail=detail
                ),
            )
        ]

    # -- people

    def _joiner(self, person: Person) -> list[Chain]:
        target = self.policy.target_for(person)
        if target is None:
            return []
        if not person.keys:
            detail = f"{person.name or 'Somebody'} has no e-mail in the directory, so nobody can be invited."
            return [self._report_person(person, Situation.NO_ADDRESS, detail)]
        if mark := self.policy.mark_on(*person.keys):
            return [self._report_person(person, Situation(mark.kind), f"Marked {mark.kind}: {mark.reason}")]
        if not self.policy.manages(person.email):
            return [
                self._report_person(
                    person, Situation.OUTSIDE_DOMAINS, "The address lies outside the managed domains."
                )
            ]
        if waits := self._awaits(target):
            detail = f"Invited once {waits}."
            return [self._report_person(person, Situation.JOINER, detail)]
        return [(self._invite(person, target, Situation.JOINER),), *self._out_of_reach(person, None, target)]

    def _align(self, person: Person, account: Account) -> list[Chain]:
        target = self.policy.target_for(person)
        if target is None:
            return self._take_away(account, person, Situation.LEAVER, self._why_nothing(person))
        return [
            *self._align_entitled(person, account, target),
            *self._out_of_reach(person, account, target),
        ]

    def _why_nothing(self, person: Person) -> str:
        if not person.active:
            return "No longer active in the directory."
        excepted = self.policy.excepted(person)
        return excepted.says if excepted else "No access rule gives access any more."

    def _align_entitled(self, person: Person, account: Account, target: Target) -> list[Chain]:
        if account.state is AccountState.INVITED:
            return self._align_invite(person, account, target)
        if account.state is AccountState.EXPIRED:
            return self._renew_invite(person, account, target)
        return self._align_member(person, account, target)

    def _take_away(
        self, account: Account, person: Person | None, situation: Situation, why: str
    ) -> list[Chain]:
        """End the account: a member is removed, an open invite withdrawn, lapsed ones cleared away."""
        kind = Kind.REMOVE if account.state is AccountState.ACTIVE else Kind.WITHDRAW_INVITE
        return [
            (
                Action(
                    kind,
                    situation,
                    _email(person, account),
                    account_id=account.id,
                    person_id=person.id if person else None,
                    before=picture(account, self.policy.names),
                    detail=why,
                    taking=account.state is not AccountState.EXPIRED,
                ),
            ),
            *(chain for one in account.lapsed for chain in self._take_away(one, person, situation, why)),
        ]

    # -- invites: OpenAI-like remotes cannot change one, only replace it

    def _invite(
        self, person: Person, target: Target, situation: Situation, kept: Iterable[Grant] = ()
    ) -> Action:
        carried = {(grant.kind, grant.id): grant for grant in kept} | {
            key: Grant(*key, role) for key, role in self._carried(target).items()
        }
        grants = tuple(sorted(carried.values()))
        return Action(
            Kind.INVITE,
            situation,
            person.email,
            person_id=person.id,
            role=target.role,
            grants=grants,
            after={"role": target.role, **named(grants, self.policy.names)},
            rule=", ".join(target.rules),
        )

    def _carried(self, target: Target) -> dict[Key, str]:
        """The grants an invite can bring; the others follow once the person has accepted."""
        return {key: role for key, role in target.grants.items() if self._carries(target, key[0], role)}

    def _carries(self, target: Target, kind: str, role: str) -> bool:
        implied = target.role == self.policy.vocabulary.owner_role and kind in self.policy.vocabulary.implicit
        return not implied and role in self.policy.vocabulary.invite_carries.get(kind, ())

    def _awaits(self, target: Target) -> str:
        """What an invite should bring and cannot yet, as the rest of a sentence. Nobody is invited twice."""
        awaited = [
            self.policy.resolved.missing[name]
            for name, role in target.awaited.items()
            if self._carries(target, name[0], role)
        ]
        if not awaited:
            return ""
        names = " and ".join(f"the {one.kind} {one.name!r}" for one in awaited)
        return f"{names} {'exists' if len(awaited) == 1 else 'exist'}, which this job makes"

    def _align_invite(self, person: Person, account: Account, target: Target) -> list[Chain]:
        carries = account.grants or self._sent(account)
        ours = {
            (grant.kind, grant.id): grant.role
            for grant in carries
            if (grant.kind, grant.id) in self.policy.managed
        }
        wanted = self._carried(target)
        elsewhere = bool(account.email) and email_key(account.email or "") not in person.keys
        if account.role == target.role and ours == wanted and not elsewhere:
            return []
        loses = self.policy.role_rank(target.role) < self.policy.role_rank(account.role) or any(
            self.policy.grant_rank(key[0], wanted.get(key)) < self.policy.grant_rank(key[0], role)
            for key, role in ours.items()
        )
        return [self._replace_invite(person, account, target, Situation.INVITE_CHANGED, taking=loses)]

    def _sent(self, account: Account) -> frozenset[Grant]:
        """What our own invite carries, when the remote shows none of it. Invites do not change, and OpenAI's
        examples leave their projects out; without this, everyone would be invited anew at each sync.
        """
        left = self.left.get(account.id)
        return left.grants if left and left.role == account.role else frozenset()

    def _renew_invite(self, person: Person, account: Account, target: Target) -> list[Chain]:
        why_not = self.put_off.get(person.id, "")
        if not self.policy.renew_invites:
            why_not = "Invites are not renewed here."
        if why_not:
            detail = f"The invite has expired. {why_not}"
            return [self._report(account, Situation.INVITE_EXPIRED, detail, person)]
        return [self._replace_invite(person, account, target, Situation.INVITE_EXPIRED, taking=False)]

    def _replace_invite(
        self, person: Person, account: Account, target: Target, situation: Situation, *, taking: bool
    ) -> Chain:
        if not self.policy.manages(person.email):
            return self._report(
                account,
                Situation.OUTSIDE_DOMAINS,
                "The invite is not as it should be, and a new one would go to an address outside the "
                f"managed domains: {person.email}.",
                person,
            )
        if waits := self._awaits(target):
            return self._report(account, situation, f"The invite is replaced once {waits}.", person)
        withdraw = Action(
            Kind.WITHDRAW_INVITE,
            situation,
            _email(person, account),
            account_id=account.id,
            person_id=person.id,
            before=picture(account, self.policy.names),
            rule=", ".join(target.rules),
            taking=taking,
        )
        older = (
            replace(withdraw, account_id=one.id, before=picture(one, self.policy.names), taking=False)
            for one in account.lapsed
        )
        foreign = [grant for grant in account.grants if (grant.kind, grant.id) not in self.policy.managed]
        return withdraw, self._invite(person, target, situation, kept=foreign), *older

    # -- members

    def _align_member(self, person: Person, account: Account, target: Target) -> list[Chain]:
        differing = self._differing(account, target)
        if not differing and account.role == target.role:
            return []
        member = Member(person, account, target, self._moved_or_drifted(account))
        grants = [self._change_grant(member, key, *was_and_will) for key, was_and_will in differing.items()]
        change = self._align_role(member)
        if change is None:
            return _places_first(grants, target)
        waiting = [action for action in grants if change.taking and self._is_implicit(action)]
        # A former owner can be given projects only when no longer an owner.
        rest = [action for action in grants if action not in waiting]
        return [(change, *waiting), *_places_first(rest, target)]

    def _is_implicit(self, action: Action) -> bool:
        """Whether it is about what an owner holds by being one."""
        held = action.entitlement
        return held is not None and held.kind in self.policy.vocabulary.implicit

    def _moved_or_drifted(self, account: Account) -> Situation:
        left = self.left.get(account.id)
        if left and left.is_still_so(account):
            return Situation.MOVER
        return Situation.DRIFT

    def _align_role(self, member: Member) -> Action | None:
        policy, has, wants = self.policy, member.account.role, member.target.role
        if has == wants:
            return None
        known = has in policy.vocabulary.roles
        if not known and wants == policy.vocabulary.roles[0]:
            # A custom role: every member has at least the lowest one, so nothing is to be given or taken.
            return None
        return member.action(
            Kind.CHANGE_ROLE,
            role=wants,
            before={"role": has},
            after={"role": wants},
            rule=", ".join(member.target.rules),
            taking=not known or policy.role_rank(wants) < policy.role_rank(has),
        )

    def _differing(self, account: Account, target: Target) -> dict[Key, tuple[str | None, str | None]]:
        """The role held and the role wanted, where they differ, on managed entitlements only; what an owner
        holds by being one is no grant.
        """
        policy, implicit = self.policy, self.policy.vocabulary.implicit
        becomes_owner = target.role == policy.vocabulary.owner_role
        was_owner = policy.is_owner(account)
        held = {
            (grant.kind, grant.id): grant.role
            for grant in account.grants
            if not (was_owner and grant.kind in implicit)
        }
        if held == target.grants and not (target.within or becomes_owner):
            return {}
        managed = policy.managed - self._unreachable(account, target)
        return {
            key: (held.get(key), target.grants.get(key))
            for key in sorted((held.keys() | target.grants.keys()) & managed)
            if held.get(key) != target.grants.get(key) and not (becomes_owner and key[0] in implicit)
        }

    def _change_grant(self, member: Member, key: Key, held: str | None, wanted: str | None) -> Action:
        rules = member.target.reasons.get(key, ())
        held_there = Entitlement(*key, self.policy.names.get(key, key[1]))
        had, gets = self.policy.grant_rank(key[0], held), self.policy.grant_rank(key[0], wanted)
        return member.action(
            Kind.REVOKE if wanted is None else Kind.GRANT if held is None else Kind.CHANGE_GRANT,
            role=wanted,
            entitlement=held_there,
            before={"role": held} if held else None,
            after={"role": wanted} if wanted else None,
            rule=", ".join(rules),
            detail="" if rules else self._why_not_given(member.person, held_there),
            taking=held is not None and (gets < had or had < 0),
        )

    def _why_not_given(self, person: Person, held: Entitlement) -> str:
        excepted = self.policy.excepted(person, held)
        return excepted.says if excepted else f"No active rule gives this {held.kind} any more."

    # -- what lies within something else

    def _unreachable(self, account: Account | None, target: Target) -> frozenset[Key]:
        """What is given to the person within a place that they are not in, and will not be in."""
        if not target.within or target.role == self.policy.vocabulary.owner_role:
            return frozenset()
        there = set(target.grants)
        if account and not self.policy.is_owner(account):
            now = {(grant.kind, grant.id) for grant in account.grants} | account.inside
            there |= now - self.policy.managed
        return frozenset(key for key, place in target.within.items() if place not in there)

    def _out_of_reach(self, person: Person, account: Account | None, target: Target) -> list[Chain]:
        chains: list[Chain] = []
        for key in sorted(self._unreachable(account, target)):
            held = Entitlement(*key, self.policy.names.get(key, key[1]))
            report = Action(
                Kind.REPORT,
                Situation.RULE_PROBLEM,
                _email(person, account) if account else person.email,
                account_id=account.id if account else None,
                person_id=person.id,
                entitlement=held,
                rule=", ".join(target.reasons[key]),
                detail=OUT_OF_REACH.format(held=held, place=target.within[key][0]),
            )
            chains.append((report,))
        return chains

    # -- reports

    def _report(
        self, account: Account, situation: Situation, detail: str, person: Person | None = None
    ) -> Chain:
        return (
            Action(
                Kind.REPORT,
                situation,
                _email(person, account),
                account_id=account.id,
                person_id=person.id if person else None,
                before=picture(account, self.policy.names),
                detail=detail,
            ),
        )

    def _report_person(self, person: Person, situation: Situation, detail: str) -> Chain:
        return (Action(Kind.REPORT, situation, person.email, person_id=person.id, detail=detail),)


def _places_first(actions: Sequence[Action], target: Target) -> list[Chain]:
    """Who is given a place is given what lies within it after that, and not without it."""
    chains: dict[Key, list[Action]] = {}
    given = {_key(action) for action in actions if action.kind is Kind.GRANT}
    for action in sorted(actions, key=lambda action: _key(action) in target.within):
        place = target.within.get(_key(action))
        chains.setdefault(place if place in given else _key(action), []).append(action)
    return [tuple(chain) for chain in chains.values()]


def _key(action: Action) -> Key:
    held = action.entitlement
    return (held.kind, held.id) if held else ("", "")


def _told_once(chains: Sequence[Chain]) -> list[Chain]:
    """What a rule gives to people out of its reach is one problem of the rule, however many they are."""
    told = [chain for chain in chains if chain[0].situation is not Situation.RULE_PROBLEM]
    problems: dict[tuple[str, Key], list[Action]] = {}
    for [action] in (chain for chain in chains if chain[0].situation is Situation.RULE_PROBLEM):
        problems.setdefault((action.rule, _key(action)), []).append(action)
    return told + [(_of_all(actions),) for actions in problems.values()]


def _of_all(actions: Sequence[Action]) -> Action:
    if len(actions) == 1:
        return actions[0]
    emails = sorted(action.email for action in actions)
    who = f"This is about {len(emails)} people, {emails[0]} the first of them."
    one = replace(actions[0], email="", account_id=None, person_id=None)
    return replace(one, detail=f"{one.detail} {who}")


def _email(person: Person | None, account: Account) -> str:
    """The account's own address, as the remote writes it; the person's where it shows none."""
    return account.email or (person.email if person else "")
