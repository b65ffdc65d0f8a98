"""From what reviewers revoked to a plan that takes just that, as far as it still is as they saw it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from directory.snapshot import Person
from integrations.connectors.base import Account, AccountState, Entitlement
from provisioning.actions import Action, Chain, Kind, Situation, order, picture
from provisioning.matching import Leftover, Linked, Match
from provisioning.policy import Key, Policy, Rule, RuleGrant


@dataclass(frozen=True, slots=True)
class Revocation:
    """What a reviewer decided to take, as they saw it: one grant, or without one the account itself.

    `reason`: who said so and why, as a sentence. `grant_role`: the role that the grant had.
    """

    account_id: str
    email: str
    person_id: int | None
    state: str
    role: str
    reason: str
    held: Entitlement | None = None
    grant_role: str = ""


def as_rule(revoked: Iterable[Revocation]) -> Rule:
    """What is to be read beside what the access rules name: each thing once."""
    every = {
        (one.held.kind, one.held.name.casefold()): RuleGrant(one.held.kind, one.held.name, one.grant_role)
        for one in revoked
        if one.held
    }
    return Rule("What is revoked", None, "", tuple(every.values()))


@dataclass(frozen=True, slots=True)
class Revoker:
    """The decisions about one review. `owners`: whose an account is now, by its id. `read`: of what it is
    known who holds it.
    """

    review: str
    policy: Policy
    accounts: Mapping[str, Account]
    owners: Mapping[str, Person]
    read: frozenset[Key]

    @classmethod
    def over(
        cls,
        review: str,
        policy: Policy,
        accounts: Iterable[Account],
        matches: Iterable[Match],
        read: Iterable[Key],
    ) -> Revoker:
        owners: dict[str, Person] = {}
        for found in matches:
            match found:
                case Linked(person, account) | Leftover(person, account):
                    owners[account.id] = person
        return cls(review, policy, {account.id: account for account in accounts}, owners, frozenset(read))

    def plan(self, revoked: Sequence[Revocation]) -> list[Chain]:
        """Who loses the account loses what it holds with it."""
        ended = {one.account_id for one in revoked if one.held is None}
        asked = [one for one in revoked if one.held is None or one.account_id not in ended]
        return order([(self._decide(one),) for one in asked])

    def _decide(self, one: Revocation) -> Action:
        account = self.accounts.get(one.account_id)
        if account is None:
            return self._report(one, None, f"The account is not there any more. {self._comes_back(one)}")
        if obstacle := self._set_apart(account) or self._changed(one, account):
            return self._report(one, account, obstacle)
        return self._take_grant(one, account) if one.held else self._end(one, account)

    def _set_apart(self, account: Account) -> str:
        """What is never taken from. Who is protected is refused by name, when the plan is checked."""
        person = self.owners.get(account.id)
        mark = self.policy.mark_on(account.email, *(person.keys if person else ()))
        if mark and mark.kind != "protected":
            return f"Marked {mark.kind}: {mark.reason}"
        if account.is_service:
            return "A service account, not a person."
        if account.managed_elsewhere:
            return "Fed by the remote's own SCIM directory, so never changed here."
        return ""

    def _changed(self, one: Revocation, account: Account) -> str:
        """Why it is not what the reviewer has seen. Nothing is taken unseen."""
        now = self.owners.get(account.id)
        if now and one.person_id is not None and now.id != one.person_id:
            return f"It was another person's when it was reviewed, and is {now.email}'s now. Review it anew."
        if account.state != one.state:
            return f"It was {one.state} when it was reviewed, and is {account.state} now. Review it anew."
        if one.held is None and (account.role or "") != one.role:
            return f"Its role was {one.role}, and is {account.role} now. Review it anew."
        return self._grant_changed(one, one.held, account) if one.held else ""

    def _grant_changed(self, one: Revocation, held: Entitlement, account: Account) -> str:
        what, key = f"the {held.kind} {held.name}", (held.kind, held.id)
        if key not in self.read:
            return f"Who holds {what} could not be read: it is gone, renamed or left alone by now."
        role = next((grant.role for grant in account.grants if (grant.kind, grant.id) == key), None)
        if role is None:
            return f"It does not hold {what} any more. {self._comes_back(one)}".strip()
        if self.policy.is_owner(account) and held.kind in self.policy.vocabulary.implicit:
            return f"It is an owner now, and holds {what} by being one."
        if role != one.grant_role:
            return f"Its role in {what} was {one.grant_role}, and is {role} now. Review it anew."
        return ""

    def _comes_back(self, one: Revocation) -> str:
        """Nobody has approved an exception for what is gone already."""
        person = next((who for who in self.owners.values() if who.id == one.person_id), None)
        rules = self.given_by(person, one.held) if person else ()
        if not rules:
            return ""
        return f"The rules still give it ({', '.join(rules)}), so that the next sync gives it again."

    def given_by(self, person: Person | None, held: Entitlement | None) -> tuple[str, ...]:
        """The rules that would give it again, if nothing kept them from it."""
        target = self.policy.target_for(person) if person else None
        if target is None:
            return ()
        return target.reasons.get((held.kind, held.id), ()) if held else target.rules

    # -- what is taken

    def _end(self, one: Revocation, account: Account) -> Action:
        kind = Kind.REMOVE if account.state is AccountState.ACTIVE else Kind.WITHDRAW_INVITE
        return self._take(one, account, kind, before=picture(account, self.policy.names))

    def _take_grant(self, one: Revocation, account: Account) -> Action:
        return self._take(one, account, Kind.REVOKE, before={"role": one.grant_role})

    def _take(self, one: Revocation, account: Account, kind: Kind, *, before: Mapping[str, object]) -> Action:
        person = self.owners.get(account.id)
        return Action(
            kind,
            Situation.REVIEWED,
            account.email or one.email,
            account_id=account.id,
            person_id=person.id if person else None,
            entitlement=one.held,
            before=before,
            detail=f"{one.reason} {self._kept_so(person, one.held)}".strip(),
            taking=True,
        )

    def _kept_so(self, person: Person | None, held: Entitlement | None) -> str:
        rules = self.given_by(person, held)
        if not rules:
            return ""
        return (
            f"The rules give it ({', '.join(rules)}): an exception keeps them from giving it again, until an "
            "operator lifts it."
        )

    def _report(self, one: Revocation, account: Account | None, why: str) -> Action:
        return Action(
            Kind.REPORT,
            Situation.REVIEWED,
            (account.email if account else None) or one.email,
            account_id=one.account_id,
            person_id=one.person_id,
            entitlement=one.held,
            before=picture(account, self.policy.names) if account else None,
            detail=f"{why.strip()} Nothing is taken. {one.reason}",
        )
