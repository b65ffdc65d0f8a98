"""A pretended OpenAI organization: its people, invites and projects, and the rules it holds them to."""

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from integrations.connectors.openai.simulator import seeding
from integrations.connectors.openai.simulator.groups import Groups
from integrations.connectors.openai.simulator.keys import Keys
from integrations.connectors.openai.simulator.records import Invite, Membership, Project, Role, User
from integrations.connectors.openai.simulator.refusals import NotFound, Refused

ORGANIZATION_ROLES = ("owner", "reader")
PROJECT_ROLES = ("owner", "member")
INVITE_LIFE = 7 * 24 * 3600  # OpenAI does not say how long an invite lives; only its `expires_at` tells
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Organization(Keys, Groups):
    """Starts with one owner, who holds the keys, and the default project that every organization has.

    `accept_after`: seconds after which a pending invite is accepted by itself; None waits for
    `accept_invite`.
    Methods named `add_…` build an organization by hand, in a test or a sample: they take a name or an address
    where the API wants an id, and may do what the API refuses.
    """

    def __init__(
        self,
        *,
        owner: str = "olivia.owner@example.org",
        accept_after: float | None = None,
        state: Path | None = None,
        clock: Callable[[], float] = time.time,
        salt: str = "",
    ) -> None:
        super().__init__(clock=clock, salt=salt)
        self.accept_after = accept_after
        founder = self.add_member(owner, "owner", is_default=True)
        default = self.add_project("Default project", is_default=True)
        self.admin_key = self.create_admin_key("Provisioning", founder.id).value
        self.read_only_key = self.create_admin_key("Reporting", founder.id, read_only=True).value
        self.project_key = self.add_project_key(default.id, founder.id).value
        for name in ORGANIZATION_ROLES:
            self.add_predefined_role(name)
        self.state = state

    @classmethod
    def seeded(cls, people: int, projects: int, seed: int = 0, **options: Any) -> Self:
        """`people` members, the first of them an owner, in `projects` projects beside the default one."""
        if people < 1 or projects < 0:
            raise ValueError(f"{people} people in {projects} projects are no organization; it has an owner.")
        names = list(seeding.people(people, seed))
        organization = cls(**({"salt": f"seed {seed}"} | options))
        founder = next(iter(organization.users.values()))
        founder.name, founder.email = names[0]
        for number, (name, email) in enumerate(names[1:], start=1):
            organization.add_member(email, "reader" if number % 25 else "owner", name=name)
        members = list(organization.users.values())
        for name, team in zip(
            seeding.project_names(projects), seeding.teams(projects, people, seed), strict=True
        ):
            project = organization.add_project(name)
            for place, number in enumerate(team):
                organization.add_to_project(
                    project.id, members[number].id, "member" if place % 10 else "owner"
                )
        return organization

    @classmethod
    def load_or_seed(cls, path: str | Path, *, people: int, projects: int, seed: int, **options: Any) -> Self:
        """The organization kept in `path`; a new one, kept there from now on, where there is none yet."""
        path = Path(path)
        if path.exists():
            organization = cls.load_file(path, **options)
        else:
            organization = cls.seeded(people, projects, seed, **options)
            organization.save(path)
        organization.state = path
        return organization

    # People

    def add_member(self, email: str | None, role: str | None = "reader", **facts: Any) -> User:
        """`facts` are further fields of a User, such as `name` or `is_scim_managed`."""
        facts = {"name": _name_from(email), "added_at": self.now} | facts
        user = User(id=self.new_id("user-"), email=email, role=role, **facts)
        self.users[user.id] = user
        self.changed()
        return user

    def user(self, user_id: str) -> User:
        if user_id not in self.users:
            raise NotFound(f"No user found with id '{user_id}' in this organization.", param="user_id")
        return self.users[user_id]

    def find_user(self, email_or_id: str) -> User:
        """A member by address, without regard to case, or by id."""
        return self.users.get(email_or_id) or self._user_by_email(email_or_id) or self.user(email_or_id)

    def _user_by_email(self, email: str) -> User | None:
        wanted = email.casefold()
        return next((u for u in self.users.values() if u.email and u.email.casefold() == wanted), None)

    def set_organization_role(self, user_id: str, role: str) -> User:
        user = self._own_user(user_id)
        if role not in ORGANIZATION_ROLES:
            raise Refused(f"Invalid role '{role}'. Expected one of: owner, reader.", param="role")
        if role != "owner":
            self._keep_an_owner(user)
        user.role = role
        self.changed()
        return user

    def assign_role(self, user_id: str, role_id: str) -> Role:
        """A predefined role takes the place of the former one, others are added."""
        user, role = self.user(user_id), self.role(role_id)
        if role.predefined_role:
            self.set_organization_role(user_id, role.name)
        elif role_id not in user.role_ids:
            user.role_ids.append(role_id)
            self.changed()
        return role

    def unassign_role(self, user_id: str, role_id: str) -> None:
        user = self.user(user_id)
        self.held_role(user_id, role_id)
        if self.role(role_id).predefined_role:
            raise Refused("A member's predefined role can be changed and not taken away.", param="role_id")
        user.role_ids.remove(role_id)
        self.changed()

    def roles_of(self, user_id: str) -> list[Role]:
        user = self.user(user_id)
        return [
            role
            for role in self.roles.values()
            if role.id in user.role_ids or (role.predefined_role and role.name == user.role)
        ]

    def held_role(self, user_id: str, role_id: str) -> Role:
        for role in self.roles_of(user_id):
            if role.id == role_id:
                return role
        raise NotFound(f"Role '{role_id}' is not assigned to user '{user_id}'.", param="role_id")

    def describe_user(self, user_id: str, technical_level: str | None, developer_persona: str | None) -> User:
        user = self.user(user_id)
        user.technical_level = technical_level or user.technical_level
        user.developer_persona = developer_persona or user.developer_persona
        self.changed()
        return user

    def remove_user(self, user_id: str) -> None:
        """Project memberships, groups and admin keys go too; project keys stay listed and stop working."""
        user = self._own_user(user_id)
        self._keep_an_owner(user)
        self.departed[user_id] = self.users.pop(user_id)
        self.memberships = {i: held for i, held in self.memberships.items() if held.user_id != user_id}
        self.admin_keys = {i: key for i, key in self.admin_keys.items() if key.owner_id != user_id}
        for group in self.groups.values():
            group.user_ids = [member for member in group.user_ids if member != user_id]
        self.changed()

    def _own_user(self, user_id: str) -> User:
        """A member who may be changed here, and not only by the identity provider."""
        user = self.user(user_id)
        if user.is_scim_managed:
            raise Refused(f"User '{user_id}' is managed through SCIM by your identity provider.")
        return user

    def _keep_an_owner(self, leaving: User) -> None:
        if leaving.is_owner and sum(user.is_owner for user in self.users.values()) == 1:
            raise Refused("The last owner of the organization cannot be removed or demoted.")

    # Invites

    def add_invite(
        self,
        email: str,
        role: str = "reader",
        projects: Mapping[str, str] | None = None,
        expires_at: int | None = None,
        **facts: Any,
    ) -> Invite:
        """`projects`: roles by project name or id. Leave `expires_at` out for an invite of the usual life."""
        granted = {self.find_project(name).id: held for name, held in (projects or {}).items()}
        facts = {"created_at": self.now} | facts
        expires_at = self.now + INVITE_LIFE if expires_at is None else expires_at
        invite = Invite(self.new_id("invite-"), email, role, granted, expires_at=expires_at, **facts)
        self.invites[invite.id] = invite
        self.changed()
        return invite

    def invite_person(self, email: str, role: str, projects: Mapping[str, str] | None) -> Invite:
        """`projects` None is the default project, for old clients; an empty mapping is no project at all."""
        self._check_new_invite(email, role)
        if projects is None:
            projects = {self.default_project.id: "member"}
        for project_id, held in projects.items():
            self._check_project_role(held)
            if project_id not in self.projects or self.projects[project_id].archived_at is not None:
                raise Refused(f"Project '{project_id}' does not exist or is archived.", param="projects")
        return self.add_invite(email, role, projects)

    def _check_new_invite(self, email: str, role: str) -> None:
        if not ADDRESS.fullmatch(email):
            raise Refused(f"'{email}' is not a valid email address.", param="email")
        if role not in ORGANIZATION_ROLES:
            raise Refused(f"Invalid role '{role}'. Expected one of: owner, reader.", param="role")
        if self._user_by_email(email) is not None:
            raise Refused(f"{email} is already a member of this organization.", param="email")
        if self._pending_invite(email) is not None:
            raise Refused(f"{email} already has a pending invite to this organization.", param="email")

    def _pending_invite(self, email: str) -> Invite | None:
        wanted = email.casefold()
        mine = (invite for invite in self.invites.values() if invite.email.casefold() == wanted)
        return next((invite for invite in mine if invite.status(self.now) == "pending"), None)

    def invite(self, invite_id: str) -> Invite:
        if invite_id not in self.invites:
            raise NotFound(f"No invite found with id '{invite_id}'.", param="invite_id")
        return self.invites[invite_id]

    def withdraw_invite(self, invite_id: str) -> None:
        if self.invite(invite_id).status(self.now) == "accepted":
            raise Refused("This invite was already accepted and cannot be deleted.", param="invite_id")
        del self.invites[invite_id]
        self.changed()

    def accept_invite(self, email: str, *, name: str | None = None) -> User:
        """What the invited person does in the browser."""
        invite = self._pending_invite(email)
        if invite is None:
            raise Refused(f"There is no pending invite for {email}; it may have expired.")
        if self._user_by_email(email) is not None:
            raise Refused(f"{email} is already a member of this organization.")
        invite.accepted_at = self.now
        user = self.add_member(invite.email, invite.role, name=name or _name_from(invite.email))
        for project_id, role in invite.projects.items():
            if project_id in self.projects and self.projects[project_id].archived_at is None:
                self.add_to_project(project_id, user.id, role)
        return user

    def let_time_pass(self) -> None:
        """Accepts the invites whose time has come, where the organization was told to."""
        if self.accept_after is None:
            return
        due = self.clock() - self.accept_after
        for invite in list(self.invites.values()):
            if invite.status(self.now) == "pending" and invite.created_at <= due:
                self.accept_invite(invite.email)

    # Projects

    @property
    def default_project(self) -> Project:
        return next(project for project in self.projects.values() if project.is_default)

    def add_project(self, name: str, **facts: Any) -> Project:
        project = Project(self.new_id("proj_"), name, self.now, **facts)
        self.projects[project.id] = project
        self.changed()
        return project

    def project(self, project_id: str) -> Project:
        if project_id not in self.projects:
            raise NotFound(f"No project found with id '{project_id}'.", param="project_id")
        return self.projects[project_id]

    def find_project(self, name_or_id: str) -> Project:
        if name_or_id in self.projects:
            return self.projects[name_or_id]
        named = (project for project in self.projects.values() if project.name == name_or_id)
        return next(named, None) or self.project(name_or_id)

    def change_project(self, project_id: str, name: str | None, external_key_id: str | None) -> Project:
        project = self._changeable_project(project_id)
        project.name = project.name if name is None else name
        project.external_key_id = project.external_key_id if external_key_id is None else external_key_id
        self.changed()
        return project

    def archive_project(self, project_id: str) -> Project:
        """Nobody is in an archived project, and there is no way back."""
        project = self._changeable_project(project_id)
        project.archived_at = self.now
        self.memberships = {i: held for i, held in self.memberships.items() if held.project_id != project_id}
        self.service_accounts = {
            i: account for i, account in self.service_accounts.items() if account.project_id != project_id
        }
        self.project_keys = {i: key for i, key in self.project_keys.items() if key.project_id != project_id}
        self.changed()
        return project

    def active_project(self, project_id: str) -> Project:
        project = self.project(project_id)
        if project.archived_at is not None:
            raise Refused(f"Project '{project_id}' is archived.", param="project_id")
        return project

    def _changeable_project(self, project_id: str) -> Project:
        project = self.active_project(project_id)
        if project.is_default:
            raise Refused("The default project cannot be modified, archived or given members directly.")
        return project

    # People in projects

    def add_to_project(self, project: str, person: str, role: str = "member") -> Membership:
        held = Membership(self.find_project(project).id, self.find_user(person).id, role, self.now)
        self.memberships[held.id] = held
        self.changed()
        return held

    def members_of(self, project_id: str) -> list[Membership]:
        """Owners of the organization are in every project, as owners of it, without having been added."""
        project = self.active_project(project_id)
        owners = [self._implicit(project, user) for user in self.users.values() if user.is_owner]
        implicit = {held.user_id for held in owners}
        return owners + [
            held
            for held in self.memberships.values()
            if held.project_id == project_id and held.user_id not in implicit
        ]

    def member_of(self, project_id: str, user_id: str) -> Membership:
        project = self.active_project(project_id)
        user = self.users.get(user_id)
        if user is not None and user.is_owner:
            return self._implicit(project, user)
        held = self.memberships.get(f"{project_id}/{user_id}")
        if held is None:
            raise NotFound(f"User '{user_id}' was not found in project '{project_id}'.", param="user_id")
        return held

    def _implicit(self, project: Project, user: User) -> Membership:
        return Membership(project.id, user.id, "owner", max(project.created_at, user.added_at))

    def give_project(self, project_id: str, user: User, role: str) -> Membership:
        self._changeable_project(project_id)
        self._check_project_role(role)
        if user.is_owner or f"{project_id}/{user.id}" in self.memberships:
            raise Refused(f"User '{user.id}' already exists in project '{project_id}'.", param="user_id")
        return self.add_to_project(project_id, user.id, role)

    def change_in_project(self, project_id: str, user_id: str, role: str | None) -> Membership:
        held = self._changeable_membership(project_id, user_id)
        if role is not None:
            self._check_project_role(role)
            held.role = role
            self.changed()
        return held

    def take_project(self, project_id: str, user_id: str) -> None:
        del self.memberships[self._changeable_membership(project_id, user_id).id]
        self.changed()

    def _changeable_membership(self, project_id: str, user_id: str) -> Membership:
        self._changeable_project(project_id)
        user = self.users.get(user_id)
        if user is not None and user.is_owner:
            raise Refused("Owners of the organization are owners of all its projects.", param="user_id")
        held = self.memberships.get(f"{project_id}/{user_id}")
        if held is None:
            raise Refused(f"User '{user_id}' is not a member of project '{project_id}'.", param="user_id")
        return held

    def _check_project_role(self, role: str) -> None:
        if role not in PROJECT_ROLES:
            raise Refused(f"Invalid role '{role}'. Expected one of: owner, member.", param="role")


def _name_from(email: str | None) -> str | None:
    """Ada Byron, from ada.byron@example.org."""
    return email.split("@")[0].replace(".", " ").title() if email else None
