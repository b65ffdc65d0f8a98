"""The people of a simulated organization."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from integrations.connectors.openai.simulator.records import Actor, User
from integrations.connectors.openai.simulator.refusals import NotFound, Refused
from integrations.connectors.openai.simulator.roles import Roles

ORGANIZATION_ROLES = ("owner", "reader")


class Members(Roles):
    def add_member(self, email: str | None, role: str | None = "reader", **facts: Any) -> User:
        """`facts` are further fields of a User, such as `name` or `is_scim_managed`."""
        user = self.enter(email, role, **facts)
        self.tell("user.added", user.id, data={"role": role or ""})
        self.changed()
        return user

    def enter(self, email: str | None, role: str | None, **facts: Any) -> User:
        """Nobody is told yet."""
        facts = {"name": name_from(email), "added_at": self.now} | facts
        user = User(id=self.new_id("user-"), email=email, role=role, **facts)
        self.users[user.id] = user
        return user

    def user(self, user_id: str) -> User:
        if user_id not in self.users:
            raise NotFound(f"No user found with id '{user_id}' in this organization.", param="user_id")
        return self.users[user_id]

    def find_user(self, email_or_id: str) -> User:
        """A member by address, without regard to case, or by id."""
        return self.users.get(email_or_id) or self.user_by_email(email_or_id) or self.user(email_or_id)

    def user_by_email(self, email: str) -> User | None:
        wanted = email.casefold()
        return next((u for u in self.users.values() if u.email and u.email.casefold() == wanted), None)

    def present_or_departed(self, user_id: str) -> User:
        return self.users.get(user_id) or self.departed[user_id]

    @contextmanager
    def console(self, email: str) -> Iterator[User]:
        """What is changed inside is done by this member in OpenAI's console."""
        user = self.find_user(email)
        with self.acting(Actor(user.id, user.email)):
            yield user

    def set_organization_role(self, user_id: str, role: str) -> User:
        user = self._own_user(user_id)
        if role not in ORGANIZATION_ROLES:
            raise Refused(f"Invalid role '{role}'. Expected one of: owner, reader.", param="role")
        if role != "owner":
            self._keep_an_owner(user)
        user.role = role
        if self.behaviour.role_change_drops_custom_roles:
            user.role_ids.clear()
        self.tell("user.updated", user.id, changes_requested={"role": role})
        self.changed()
        return user

    def describe_user(self, user_id: str, technical_level: str | None, developer_persona: str | None) -> User:
        user = self.user(user_id)
        user.technical_level = technical_level or user.technical_level
        user.developer_persona = developer_persona or user.developer_persona
        if technical_level or developer_persona:
            self.tell("user.updated", user.id, changes_requested={})
        self.changed()
        return user

    def remove_user(self, user_id: str) -> None:
        """Project memberships and groups go too; project keys stay listed and stop working."""
        user = self._own_user(user_id)
        self._keep_an_owner(user)
        self.departed[user_id] = self.users.pop(user_id)
        self.memberships = {i: held for i, held in self.memberships.items() if held.user_id != user_id}
        if self.behaviour.keys_of_lost_owners == "deleted":
            self.admin_keys = {i: key for i, key in self.admin_keys.items() if key.owner_id != user_id}
        for group in self.groups.values():
            group.user_ids = [member for member in group.user_ids if member != user_id]
        self.tell("user.deleted", user_id)
        self.changed()

    def _own_user(self, user_id: str) -> User:
        """A member who may be changed here, and not only by the identity provider."""
        user = self.user(user_id)
        if user.is_scim_managed and self.behaviour.scim_refuses_writes:
            raise Refused(f"User '{user_id}' is managed through SCIM by your identity provider.")
        return user

    def _keep_an_owner(self, leaving: User) -> None:
        if leaving.is_owner and sum(user.is_owner for user in self.users.values()) == 1:
            raise Refused("The last owner of the organization cannot be removed or demoted.")


def name_from(email: str | None) -> str | None:
    """Ada Byron, from ada.byron@example.org."""
    return email.split("@")[0].replace(".", " ").title() if email else None
