"""Giving back what a job took: from its stored before-images to a plan that only gives. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from directory.emails import email_key
from directory.snapshot import Person
from integrations.connectors.base import Account, AccountState, Entitlement, Grant, singular
from provisioning.actions import Action, Chain, Kind, Situation, named, order, picture
from provisioning.group_planning import GroupGrant, GroupRule, told_of
from provisioning.policy import Key, Policy, Resolved, Rule, RuleGrant, resolve


class Taken(Protocol):
    """The parts of a stored action that tell what it took."""

    kind: str
    email: str
    account_id: str | None
    person_id: int | None
    entitlement: Any
    holder: Any
    before: Any


@dataclass(frozen=True, slots=True)
class Loss:
    """What one account had before a job took from it: grants by their names, and its role where it lost that.

    `ended`: the account itself was removed, or its invite withdrawn.
    """

    account_id: str
    email: str
    person_id: int | None
    ended: bool
    role: str | None = None
    grants: tuple[RuleGrant, ...] = ()

    def and_also(self, other: Loss) -> Loss:
        return replace(
            self,
            ended=self.ended or other.ended,
            role=self.role or other.role,
            grants=(*self.grants, *other.grants),
        )


def losses(taken: Iterable[Taken]) -> list[Loss]:
    """One for each account, whatever was taken from it."""
    found: dict[str, Loss] = {}
    for action in taken:
        if action.kind == Kind.REVOKE_KEY or action.holder:
            continue  # a key is gone for good, and groups have losses of their own
        loss = _loss(action)
        found[loss.account_id] = found[loss.account_id].and_also(loss) if loss.account_id in found else loss
    return list(found.values())


def group_losses(taken: Iterable[Taken]) -> tuple[GroupRule, ...]:
    """What groups had before a job took it: a rule for each, that would give just this."""
    return tuple(
        GroupRule(action.holder["name"], (GroupGrant(*told_of(action.before)),))
        for action in taken
        if action.holder
    )


def _loss(action: Taken) -> Loss:
    before: Mapping[str, Any] = action.before or {}
    held = action.entitlement
    grants = (
        (RuleGrant(held["kind"], held["name"], before.get("role") or ""),) if held else _grants_in(before)
    )
    return Loss(
        account_id=action.account_id or "",
        email=action.email,
        person_id=action.person_id,
        ended=action.kind in (Kind.REMOVE, Kind.WITHDRAW_INVITE),
        role=None if held else before.get("role"),
        grants=grants,
    )


def _grants_in(before: Mapping[str, Any]) -> tuple[RuleGrant, ...]:
    """The reverse of `actions.named`."""
    return tuple(
        RuleGrant(singular(kinds), grant["name"], grant["role"])
        for kinds, held in before.items()
        if isinstance(held, list)
        for grant in held
    )


def as_rule(lost: Iterable[Loss]) -> Rule:
    """What is to be read beside what the access rules name: everything that was lost, each thing once."""
    every = {(grant.kind, grant.name.casefold()): grant for loss in lost for grant in loss.grants}
    return Rule("What was taken", None, "", tuple(every.values()))


@dataclass(frozen=True, slots=True)
class Restorer:
    """The decisions about giving back what job number `job` took. `people`: the directory as it is now."""

    job: int
    policy: Policy
    had: Resolved
    accounts: Mapping[str, Account]
    people: Mapping[int, Person]

    @classmethod
    def over(
        cls,
        job: int,
        policy: Policy,
        lost: Sequence[Loss],
        accounts: Iterable[Account],
        entitlements: Sequence[Entitlement],
        people: Iterable[Person],
    ) -> Restorer:
        """`accounts` are found by their ids and by their addresses, since who comes back has a new id."""
        present = {email_key(account.email): account for account in accounts if account.email}
        present |= {account.id: account for account in accounts}
        return cls(
            job,
            policy,
            resolve([as_rule(lost)], entitlements),
            present,
            {person.id: person for person in people},
        )

    def plan(self, lost: Iterable[Loss]) -> list[Chain]:
        chains = [chain for loss in lost for chain in self._give_back(loss)]
        chains += [
            (Action(Kind.REPORT, Situation.RESTORED, "", detail=problem.detail),)
            for problem in self.had.problems
        ]
        return order(chains)

    def _give_back(self, loss: Loss) -> list[Chain]:
        account = self._present(loss)
        if obstacle := self._obstacle(loss, account):
            return [self._report(loss, account, obstacle)]
        if account is None or account.state is AccountState.EXPIRED:
            return self._invite_again(loss, account)
        if account.state is AccountState.INVITED:
            chains = self._leave_invited(loss, account)
        else:
            changes = [*self._raise_role(loss, account), *self._give_grants(loss, account)]
            chains = [*((action,) for action in changes), *self._left_as_it_is(loss, account)]
        return chains or self._there_already(loss, account)

    def _there_already(self, loss: Loss, account: Account) -> list[Chain]:
        """Nothing is lacking. Said where it is not the account that anybody would look for."""
        if not account.email or email_key(account.email) == email_key(loss.email):
            return []
        return [self._report(loss, account, f"They are there as {account.email}, and lack nothing.")]

    def _present(self, loss: Loss) -> Account | None:
        """The account that was, or the one that its person has by now."""
        ways = (loss.account_id, email_key(loss.email), *self._keys(loss))
        return next((self.accounts[way] for way in ways if way in self.accounts), None)

    def _obstacle(self, loss: Loss, account: Account | None) -> str | None:
        """Who is ignored may get something back: the mark keeps syncs from taking it again."""
        mark = self.policy.mark_on(loss.email, *self._keys(loss))
        if mark and mark.kind == "protected":
            return f"Marked protected: {mark.reason}"
        if not self.policy.manages(loss.email):
            return "The address lies outside the managed domains."
        if account and account.managed_elsewhere:
            return "Fed by the remote's own SCIM directory, so never changed here."
        if account is None and not loss.ended:
            return "The account is no longer there. Another job, or somebody by hand, has ended it since."
        return None

    def _keys(self, loss: Loss) -> tuple[str, ...]:
        person = self.people.get(loss.person_id or 0)
        return person.keys if person else ()

    # -- who is gone

    def _invite_again(self, loss: Loss, lapsed: Account | None) -> list[Chain]:
        if not loss.ended:
            return [self._report(loss, lapsed, "There is only an expired invite now.")]
        role = loss.role if loss.role in self.policy.vocabulary.roles else self.policy.vocabulary.roles[0]
        carried, later = self._split(loss, role)
        invite = Action(
            Kind.INVITE,
            Situation.RESTORED,
            loss.email,
            person_id=loss.person_id,
            role=role,
            grants=carried,
            after={"role": role, **named(carried, self.policy.names)},
            detail=self._told(loss),
        )
        reports = [self._report(loss, None, sentence) for sentence in self._not_yet(loss, role, later)]
        return [(*self._clear_away(loss, lapsed), invite), *reports]

    def _clear_away(self, loss: Loss, lapsed: Account | None) -> Chain:
        if lapsed is None:
            return ()
        before = picture(lapsed, self.policy.names)
        return (
            Action(
                Kind.WITHDRAW_INVITE,
                Situation.RESTORED,
                loss.email,
                account_id=lapsed.id,
                person_id=loss.person_id,
                before=before,
                detail="The invite has expired; a new one follows.",
            ),
        )

    def _split(self, loss: Loss, role: str) -> tuple[tuple[Grant, ...], list[Grant]]:
        """What an invite can carry, and what can only be given to who has accepted it."""
        carries = self.policy.vocabulary.invite_carries
        wanted = self._wanted(loss, role)
        carried = [grant for grant in wanted if grant.role in carries.get(grant.kind, ())]
        return tuple(carried), [grant for grant in wanted if grant not in carried]

    def _not_yet(self, loss: Loss, role: str, later: Iterable[Grant]) -> Iterable[str]:
        if loss.role and loss.role != role:
            yield f"The role was {loss.role}, which an invite cannot bring back; it is {role} now."
        for grant in later:
            name = self.policy.names.get((grant.kind, grant.id), grant.id)
            yield (
                f"The {grant.kind} {name} ({grant.role}) cannot come back before the invite is accepted. "
                f"Restore job {self.job} again then."
            )

    # -- who is still invited

    def _leave_invited(self, loss: Loss, account: Account) -> list[Chain]:
        """An invite cannot be changed, and withdrawing it for a better one would take something away."""
        lacks = self._is_higher(loss.role, account.role) or self._lacking(loss, account)
        if not lacks:
            return []
        later = f"It is invited as {account.role}. What it lacks can come back when the invite is accepted."
        return [self._report(loss, account, f"{later} Restore job {self.job} again then.")]

    # -- who is still a member

    def _raise_role(self, loss: Loss, account: Account) -> list[Action]:
        if not self._is_higher(loss.role, account.role):
            return []
        return [
            self._change(
                loss,
                account,
                Kind.CHANGE_ROLE,
                role=loss.role,
                before={"role": account.role},
                after={"role": loss.role},
            )
        ]

    def _left_as_it_is(self, loss: Loss, account: Account) -> list[Chain]:
        roles = self.policy.vocabulary.roles
        if loss.role in (None, account.role) or (loss.role in roles and account.role in roles):
            return []
        sentence = f"The role was {loss.role}, and now it is {account.role}: left as it is."
        return [self._report(loss, account, sentence)]

    def _is_higher(self, had: str | None, has: str | None) -> bool:
        """A custom role is neither higher nor lower than another, and is left as it is."""
        roles = self.policy.vocabulary.roles
        return had in roles and has in roles and self.policy.role_rank(had) > self.policy.role_rank(has)

    def _give_grants(self, loss: Loss, account: Account) -> list[Action]:
        held = {(grant.kind, grant.id): grant.role for grant in account.grants}
        return [
            self._change(
                loss,
                account,
                Kind.CHANGE_GRANT if (grant.kind, grant.id) in held else Kind.GRANT,
                role=grant.role,
                entitlement=self._entitlement((grant.kind, grant.id)),
                before={"role": held[grant.kind, grant.id]} if (grant.kind, grant.id) in held else None,
                after={"role": grant.role},
            )
            for grant in self._lacking(loss, account)
        ]

    def _entitlement(self, key: Key) -> Entitlement:
        return Entitlement(*key, self.policy.names.get(key, key[1]))

    def _change(self, loss: Loss, account: Account, kind: Kind, **what: Any) -> Action:
        return Action(
            kind,
            Situation.RESTORED,
            account.email or loss.email,
            account_id=account.id,
            person_id=loss.person_id,
            detail=self._told(loss),
            **what,
        )

    # -- what is wanted, and what will become of it

    def _lacking(self, loss: Loss, account: Account) -> list[Grant]:
        held = {(grant.kind, grant.id): grant.role for grant in account.grants}
        will_own = self._is_higher(loss.role, account.role)
        role = loss.role if will_own else account.role
        return [
            grant
            for grant in self._wanted(loss, role)
            if self.policy.grant_rank(grant.kind, grant.role)
            > self.policy.grant_rank(grant.kind, held.get((grant.kind, grant.id)))
        ]

    def _wanted(self, loss: Loss, role: str | None) -> list[Grant]:
        """What was lost and is still to be found; an owner needs no grant of what every owner holds."""
        is_owner = role == self.policy.vocabulary.owner_role
        implicit = self.policy.vocabulary.implicit if is_owner else frozenset()
        found = [(self.had.named(grant), grant.role) for grant in loss.grants]
        return sorted(
            Grant(held.kind, held.id, was) for held, was in found if held and held.kind not in implicit
        )

    def _told(self, loss: Loss) -> str:
        """What the next sync will make of it, so that an approver knows before."""
        before = f"As it was before job {self.job}."
        if self.policy.mark_on(loss.email, *self._keys(loss)):
            return f"{before} Marked ignored, so syncs leave it alone."
        return f"{before} {self._next_sync(loss)}".strip()

    def _next_sync(self, loss: Loss) -> str:
        person = self.people.get(loss.person_id or 0)
        if person is None:
            return "Nobody in the directory answers to it." if loss.person_id is None else ""
        target = self.policy.target_for(person)
        if target is None:
            return "No access rule gives access, so the next sync takes it away again."
        wanted = self._wanted(loss, loss.role)
        beyond = self._is_higher(loss.role, target.role) or any(
            self.policy.grant_rank(grant.kind, grant.role)
            > self.policy.grant_rank(grant.kind, target.grants.get((grant.kind, grant.id)))
            for grant in wanted
            if (grant.kind, grant.id) in self.policy.managed
        )
        return "It is more than the access rules give: the next sync takes that away again." if beyond else ""

    def _report(self, loss: Loss, account: Account | None, detail: str) -> Chain:
        return (
            Action(
                Kind.REPORT,
                Situation.RESTORED,
                loss.email,
                account_id=account.id if account else None,
                person_id=loss.person_id,
                before=picture(account, self.policy.names) if account else None,
                detail=detail,
            ),
        )
