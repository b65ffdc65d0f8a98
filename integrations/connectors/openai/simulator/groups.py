"""The groups and roles of a simulated organization."""

from integrations.connectors.openai.simulator.holdings import Holdings
from integrations.connectors.openai.simulator.records import Group, Role
from integrations.connectors.openai.simulator.refusals import NotFound, Refused


class Groups(Holdings):
    def add_group(self, name: str, *, is_scim_managed: bool = False) -> Group:
        if not 1 <= len(name) <= 255:
            raise Refused("'name' must have 1 to 255 characters.", param="name")
        group = Group(self.new_id("group_"), name, self.now, is_scim_managed)
        self.groups[group.id] = group
        self.changed()
        return group

    def group(self, group_id: str) -> Group:
        if group_id not in self.groups:
            raise NotFound(f"No group found with id '{group_id}'.")
        return self.groups[group_id]

    def rename_group(self, group_id: str, name: str) -> Group:
        group = self._own_group(group_id)
        if not 1 <= len(name) <= 255:
            raise Refused("'name' must have 1 to 255 characters.", param="name")
        group.name = name
        self.changed()
        return group

    def delete_group(self, group_id: str) -> None:
        del self.groups[self._own_group(group_id).id]
        self.changed()

    def add_to_group(self, group_id: str, user_id: str) -> None:
        group = self._own_group(group_id)
        if user_id in group.user_ids:
            raise Refused(f"User '{user_id}' already exists in group '{group_id}'.", param="user_id")
        group.user_ids.append(user_id)
        self.changed()

    def remove_from_group(self, group_id: str, user_id: str) -> None:
        group = self._own_group(group_id)
        if user_id not in group.user_ids:
            raise NotFound(f"User '{user_id}' is not a member of group '{group_id}'.")
        group.user_ids.remove(user_id)
        self.changed()

    def _own_group(self, group_id: str) -> Group:
        """A group that may be changed here, and not only by the identity provider."""
        group = self.group(group_id)
        if group.is_scim_managed:
            raise Refused(f"Group '{group_id}' is managed by your identity provider.")
        return group

    def add_predefined_role(self, name: str) -> Role:
        role_id = f"role-api-organization-{name}__api-organization__{self.id}"
        role = Role(role_id, name, ["api.organization.read"], self.now, predefined_role=True)
        self.roles[role.id] = role
        return role

    def add_role(self, name: str, permissions: list[str], description: str | None = None) -> Role:
        role = Role(self.new_id("role_"), name, permissions, self.now, description)
        self.roles[role.id] = role
        self.changed()
        return role

    def role(self, role_id: str) -> Role:
        if role_id not in self.roles:
            raise NotFound(f"No role found with id '{role_id}'.")
        return self.roles[role_id]

    def change_role(
        self, role_id: str, name: str | None, permissions: list[str] | None, description: str | None
    ) -> Role:
        role = self._custom_role(role_id)
        role.name = role.name if name is None else name
        role.permissions = role.permissions if permissions is None else permissions
        role.description = role.description if description is None else description
        self.changed()
        return role

    def delete_role(self, role_id: str) -> None:
        """Whoever held it holds it no more."""
        del self.roles[self._custom_role(role_id).id]
        for user in self.users.values():
            if role_id in user.role_ids:
                user.role_ids.remove(role_id)
        self.changed()

    def _custom_role(self, role_id: str) -> Role:
        role = self.role(role_id)
        if role.predefined_role:
            raise Refused(f"Role '{role_id}' is predefined and cannot be changed.")
        return role
