"""The simulated organization without HTTP: read as accounts, changed by actions."""

from collections.abc import Callable, Mapping

from integrations.connectors.base import Account, AccountState, Entitlement, Grant
from integrations.connectors.openai.connector import with_what_lapsed
from integrations.connectors.openai.simulator import Organization
from integrations.connectors.openai.simulator.records import Invite, User
from integrations.connectors.openai.simulator.refusals import Refused
from provisioning.actions import Action, Kind


class Remote(Organization):
    """Has two projects, a group and two custom roles beside the founder and the default project."""

    def __init__(self, owner: str) -> None:
        self.time = 1_800_000_000.0
        super().__init__(owner=owner, clock=lambda: self.time)
        self.boss = self.find_user(owner).id
        self.search, self.voice = self.add_project("Search"), self.add_project("Voice")
        self.platform = self.add_group("platform")
        self.auditor = self.add_role("Key auditor", [])
        self.editor = self.add_role("Prompt editor", [], project_id=self.search.id)
        self.demoted: set[str] = set()

    def owners(self) -> frozenset[str]:
        return frozenset(user.id for user in self.users.values() if user.is_owner)

    def others(self) -> list[User]:
        """Everyone but the founder, who holds the key."""
        return [user for user in self.users.values() if user.id != self.boss]

    def entitlements(self) -> list[Entitlement]:
        projects = [Entitlement("project", one.id, one.name) for one in (self.search, self.voice)]
        return [
            *projects,
            Entitlement("group", self.platform.id, "platform"),
            Entitlement("role", self.auditor.id, "Key auditor"),
            Entitlement(
                "project role",
                self.editor.id,
                "Search: Prompt editor",
                within=("project", self.search.id),
            ),
        ]

    def accounts(self) -> list[Account]:
        members = [self._as_account(user) for user in self.users.values()]
        invites = [
            self._invited(invite, AccountState.INVITED if status == "pending" else AccountState.EXPIRED)
            for invite in self.invites.values()
            if (status := invite.status(self.now)) in ("pending", "expired")
        ]
        return with_what_lapsed(members, invites)

    def _invited(self, invite: Invite, state: AccountState) -> Account:
        carried = tuple(sorted(Grant("project", id, role) for id, role in invite.projects.items()))
        return Account(invite.id, state, invite.email, invite.role, grants=carried)

    def _as_account(self, user: User) -> Account:
        grants = [
            Grant("project", project.id, held.role)
            for project in (self.search, self.voice)
            for held in self.members_of(project.id)
            if held.user_id == user.id
        ]
        if user.id in self.platform.user_ids:
            grants.append(Grant("group", self.platform.id, "member"))
        if self.auditor.id in user.role_ids:
            grants.append(Grant("role", self.auditor.id, "holder"))
        if not user.is_owner and self.editor.id in self._roles_in_search(user.id):
            grants.append(Grant("project role", self.editor.id, "holder"))
        return Account(user.id, AccountState.ACTIVE, user.email, user.role, grants=tuple(sorted(grants)))

    def _roles_in_search(self, user_id: str) -> list[str]:
        held = self.memberships.get(f"{self.search.id}/{user_id}")
        return held.role_ids if held else []

    def take_editor(self, user_id: str) -> None:
        """Who lost the project before has lost the role with it."""
        if self.editor.id in self._roles_in_search(user_id):
            self.unassign_role_in_project(self.search.id, user_id, self.editor.id)

    def carry_out(self, action: Action) -> None:
        """Raises Refused where OpenAI would refuse."""
        kind = f"{action.kind}_{action.entitlement.kind}" if action.entitlement else str(action.kind)
        CALLS[kind](self, action.account_id or "", action)

    def demote_or_promote(self, user_id: str, role: str, *, taking: bool) -> None:
        if taking:
            self.demoted.add(user_id)
        self.set_organization_role(user_id, role)

    def give(self, project_id: str, user_id: str, role: str) -> None:
        """A former owner may still be in a project; that shows only after the demotion."""
        try:
            self.give_project(project_id, self.user(user_id), role)
        except Refused:
            if user_id not in self.demoted:
                raise


def _held(action: Action) -> str:
    return action.entitlement.id if action.entitlement else ""


CALLS: Mapping[str, Callable[[Remote, str, Action], object]] = {
    Kind.INVITE: lambda remote, _, action: remote.invite_person(
        action.email, action.role or "", {grant.id: grant.role for grant in action.grants}
    ),
    Kind.WITHDRAW_INVITE: lambda remote, subject, _: remote.withdraw_invite(subject),
    Kind.REMOVE: lambda remote, subject, _: remote.remove_user(subject),
    Kind.CHANGE_ROLE: lambda remote, subject, action: remote.demote_or_promote(
        subject, action.role or "", taking=action.taking
    ),
    "grant_group": lambda remote, subject, action: remote.add_to_group(_held(action), subject),
    "revoke_group": lambda remote, subject, action: remote.remove_from_group(_held(action), subject),
    "grant_role": lambda remote, subject, action: remote.assign_role(subject, _held(action)),
    "revoke_role": lambda remote, subject, action: remote.unassign_role(subject, _held(action)),
    "grant_project role": lambda remote, subject, action: remote.assign_role_in_project(
        remote.search.id, subject, _held(action)
    ),
    "revoke_project role": lambda remote, subject, _: remote.take_editor(subject),
    "grant_project": lambda remote, subject, action: remote.give(_held(action), subject, action.role or ""),
    "change_grant_project": lambda remote, subject, action: remote.change_in_project(
        _held(action), subject, action.role
    ),
    "revoke_project": lambda remote, subject, action: remote.take_project(_held(action), subject),
}
