"""Who holds which role in a simulated organization and its projects, by themselves or through a group."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping

from integrations.connectors.openai.simulator.groups import Groups
from integrations.connectors.openai.simulator.records import Held, ProjectGroup, Role
from integrations.connectors.openai.simulator.refusals import NotFound, Refused

Principal = tuple[str, str]
"""Who holds a role: an id, and `user` or `group`."""


class Assignments(Groups):
    """A predefined role takes the place of a person's former one; others are added to it.

    Where somebody holds a role by themselves and through groups too, the sources name all of them; OpenAI
    does not say what it shows then. Nor does it say what becomes of a group's people when the group is given
    a predefined role of the organization: here they hold it, and the `role` of each stays as it is.
    """

    # People in the organization

    def roles_of(self, user_id: str) -> list[Held]:
        user = self.user(user_id)
        roles = self.organization_roles()
        own = {role.id for role in roles if role.predefined_role and role.name == user.role}
        inherited = {group.id: group.role_ids for group in self.groups_of(user_id)}
        return list(_held(roles, (user_id, "user"), own.union(user.role_ids), inherited))

    def held_role(self, user_id: str, role_id: str) -> Held:
        return _found(self.roles_of(user_id), role_id)

    def assign_role(self, user_id: str, role_id: str) -> Role:
        user, role = self.user(user_id), self.role(role_id)
        if role.predefined_role:
            self.set_organization_role(user_id, role.name)
        else:
            self._give(user.role_ids, (user_id, "user"), role)
        return role

    def unassign_role(self, user_id: str, role_id: str) -> None:
        role = self.held_role(user_id, role_id).role
        if role.predefined_role:
            raise Refused("A member's predefined role can be changed and not taken away.", param="role_id")
        self._take(self.user(user_id).role_ids, (user_id, "user"), role)

    # Groups in the organization

    def roles_of_group(self, group_id: str) -> list[Held]:
        group = self.group(group_id)
        return list(_held(self.organization_roles(), (group_id, "group"), group.role_ids, {}))

    def held_by_group(self, group_id: str, role_id: str) -> Held:
        return _found(self.roles_of_group(group_id), role_id)

    def assign_role_to_group(self, group_id: str, role_id: str) -> Role:
        group, role = self.group(group_id), self.role(role_id)
        self._give(group.role_ids, (group_id, "group"), role)
        return role

    def unassign_role_from_group(self, group_id: str, role_id: str) -> None:
        role = self.held_by_group(group_id, role_id).role
        self._take(self.group(group_id).role_ids, (group_id, "group"), role)

    # People in projects

    def roles_in_project(self, project_id: str, user_id: str) -> list[Held]:
        """Someone who is in the project only through a group holds what the group does."""
        roles = self.project_roles(self.active_project(project_id).id)
        inherited = {
            group.id: self.project_groups[f"{project_id}/{group.id}"].role_ids
            for group in self.groups_of(self.user(user_id).id)
            if f"{project_id}/{group.id}" in self.project_groups
        }
        own: set[str] = set()
        if not inherited or self.user(user_id).is_owner or f"{project_id}/{user_id}" in self.memberships:
            held = self.member_of(project_id, user_id)
            own = {role.id for role in roles if role.name == held.role}.union(held.role_ids)
        return list(_held(roles, (user_id, "user"), own, inherited))

    def assign_role_in_project(self, project_id: str, user_id: str, role_id: str) -> Role:
        """Only to people who were added to the project themselves; what else OpenAI does is not known."""
        held, role = self.changeable_membership(project_id, user_id), self.project_role(project_id, role_id)
        if role.predefined_role:
            held.role = role.name
            self._tell_of("created", (user_id, "user"), role)
        elif role.name != held.role:
            self._give(held.role_ids, (user_id, "user"), role)
        return role

    def unassign_role_in_project(self, project_id: str, user_id: str, role_id: str) -> None:
        role = self.held_in_project(project_id, user_id, role_id).role
        if role.predefined_role:
            raise Refused("A member's predefined role can be changed and not taken away.", param="role_id")
        held = self.changeable_membership(project_id, user_id)
        if held.role == role.name:
            held.role = "member"
            self._tell_of("deleted", (user_id, "user"), role)
        else:
            self._take(held.role_ids, (user_id, "user"), role)

    def held_in_project(self, project_id: str, user_id: str, role_id: str) -> Held:
        role = self.project_role(project_id, role_id)
        return _found(self.roles_in_project(project_id, user_id), role.id)

    # Groups in projects

    def add_group_to_project(self, project_id: str, group_id: str, role_id: str) -> ProjectGroup:
        role = self.project_role(self.active_project(project_id).id, role_id)
        held = self.let_group_into_project(project_id, group_id)
        self._give(held.role_ids, (group_id, "group"), role)
        return held

    def take_group_from_project(self, project_id: str, group_id: str) -> None:
        self.changeable_project(project_id)
        held = self.project_group(project_id, group_id)
        del self.project_groups[held.id]
        for role_id in held.role_ids:
            self._tell_of("deleted", (group_id, "group"), self.project_role(project_id, role_id))

    def roles_of_group_in_project(self, project_id: str, group_id: str) -> list[Held]:
        held = self.project_group(project_id, group_id)
        return list(_held(self.project_roles(project_id), (group_id, "group"), held.role_ids, {}))

    def assign_role_to_group_in_project(self, project_id: str, group_id: str, role_id: str) -> Role:
        held, role = self.project_group(project_id, group_id), self.project_role(project_id, role_id)
        self._give(held.role_ids, (group_id, "group"), role)
        return role

    def unassign_role_from_group_in_project(self, project_id: str, group_id: str, role_id: str) -> None:
        role = self.held_by_group_in_project(project_id, group_id, role_id).role
        self._take(self.project_group(project_id, group_id).role_ids, (group_id, "group"), role)

    def held_by_group_in_project(self, project_id: str, group_id: str, role_id: str) -> Held:
        role = self.project_role(project_id, role_id)
        return _found(self.roles_of_group_in_project(project_id, group_id), role.id)

    # What all of them do

    def _give(self, role_ids: list[str], to: Principal, role: Role) -> None:
        """Who has it already keeps it, and nothing happens."""
        if role.id not in role_ids:
            role_ids.append(role.id)
            self._tell_of("created", to, role)

    def _take(self, role_ids: list[str], of: Principal, role: Role) -> None:
        if role.id not in role_ids:
            raise Refused(
                f"Role '{role.id}' is inherited from a group and cannot be taken from '{of[0]}'.",
                param="role_id",
            )
        role_ids.remove(role.id)
        self._tell_of("deleted", of, role)

    def _tell_of(self, what: str, principal: Principal, role: Role) -> None:
        """The event names the assignment, the same when it ends, and never the role."""
        principal_id, kind = principal
        digest = hashlib.sha256(f"{principal_id}/{role.id}".encode()).hexdigest()
        self.tell(
            f"role.assignment.{what}",
            f"role_assignment_{digest[:24]}",
            project_id=role.project_id,
            principal_id=principal_id,
            principal_type=kind,
            resource_id=role.project_id or self.id,
            resource_type=role.resource_type,
        )
        self.changed()


def _held(
    roles: Iterable[Role],
    principal: Principal,
    own: Collection[str],
    inherited: Mapping[str, Collection[str]],
) -> Iterator[Held]:
    """In the order of the roles. What is held without any group has no source."""
    for role in roles:
        groups = [(group_id, "group") for group_id, held in inherited.items() if role.id in held]
        if role.id in own:
            yield Held(role, (principal, *groups) if groups else ())
        elif groups:
            yield Held(role, tuple(groups))


def _found(held: Iterable[Held], role_id: str) -> Held:
    for one in held:
        if one.id == role_id:
            return one
    raise NotFound(f"Role '{role_id}' is not assigned here.", param="role_id")
