"""The invites of a simulated organization, and what comes of them."""

import re
from collections.abc import Mapping
from typing import Any

from integrations.connectors.openai.simulator.members import ORGANIZATION_ROLES, name_from
from integrations.connectors.openai.simulator.projects import Projects
from integrations.connectors.openai.simulator.records import Actor, Invite, User
from integrations.connectors.openai.simulator.refusals import NotFound, Refused

INVITED_TO_PROJECTS_AS = ("owner", "member")
INVITE_LIFE = 7 * 24 * 3600  # OpenAI does not say how long an invite lives; only its `expires_at` tells
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


class Invites(Projects):
    accept_after: float | None = None

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
        self.tell("invite.sent", invite.id, data={"email": email, "role": role})
        self.changed()
        return invite

    def invite_person(self, email: str, role: str, projects: Mapping[str, str] | None) -> Invite:
        """`projects` None is the default project, for old clients; an empty mapping is no project at all."""
        self._check_new_invite(email, role)
        if projects is None:
            projects = {self.default_project.id: "member"}
        for project_id, held in projects.items():
            if held not in INVITED_TO_PROJECTS_AS:
                raise Refused(f"Invalid role '{held}'. Expected one of: owner, member.", param="role")
            if project_id not in self.projects or self.projects[project_id].archived_at is not None:
                raise Refused(f"Project '{project_id}' does not exist or is archived.", param="projects")
        return self.add_invite(email, role, projects)

    def _check_new_invite(self, email: str, role: str) -> None:
        if not ADDRESS.fullmatch(email):
            raise Refused(f"'{email}' is not a valid email address.", param="email")
        if role not in ORGANIZATION_ROLES:
            raise Refused(f"Invalid role '{role}'. Expected one of: owner, reader.", param="role")
        if self.user_by_email(email) is not None:
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
        self.tell("invite.deleted", invite_id)
        self.changed()

    def accept_invite(self, email: str, *, name: str | None = None, under: str | None = None) -> User:
        """What the invited person does in the browser, perhaps signed in `under` another address."""
        invite = self._pending_invite(email)
        if invite is None:
            raise Refused(f"There is no pending invite for {email}; it may have expired.")
        address = under or invite.email
        if self.user_by_email(address) is not None:
            raise Refused(f"{address} is already a member of this organization.")
        invite.accepted_at = self.now
        user = self.enter(address, invite.role, name=name or name_from(address))
        with self.acting(Actor(user.id, user.email)):
            self.tell("invite.accepted", invite.id)
            self.tell("user.added", user.id, data={"role": invite.role})
            for project_id, role in invite.projects.items():
                if project_id in self.projects and self.projects[project_id].archived_at is None:
                    self.add_to_project(project_id, user.id, role)
            self.changed()
        return user

    def let_time_pass(self) -> None:
        """Accepts the invites whose time has come, where the organization was told to."""
        if self.accept_after is None:
            return
        due = self.clock() - self.accept_after
        for invite in list(self.invites.values()):
            if invite.status(self.now) == "pending" and invite.created_at <= due:
                self.accept_invite(invite.email)
