"""The groups of a simulated organization: who is in them, and which projects they were let into."""

from integrations.connectors.openai.simulator.projects import Projects
from integrations.connectors.openai.simulator.records import Group, ProjectGroup
from integrations.connectors.openai.simulator.refusals import NotFound, Refused


class Groups(Projects):
    """The audit log has events of membership only for the tenant, and none in the organization's own list."""

    def add_group(self, name: str, *, is_scim_managed: bool = False) -> Group:
        _check_name(name)
        group = Group(self.new_id("group_"), name, self.now, is_scim_managed)
        self.groups[group.id] = group
        self.tell("group.created", group.id, data={"group_name": name})
        self.changed()
        return group

    def group(self, group_id: str) -> Group:
        if group_id not in self.groups:
            raise NotFound(f"No group found with id '{group_id}'.", param="group_id")
        return self.groups[group_id]

    def rename_group(self, group_id: str, name: str) -> Group:
        group = self._own_group(group_id)
        _check_name(name)
        group.name = name
        self.tell("group.updated", group.id, changes_requested={"group_name": name})
        self.changed()
        return group

    def delete_group(self, group_id: str) -> None:
        """What its members had through it is gone."""
        del self.groups[self._own_group(group_id).id]
        self.project_groups = {
            i: held for i, held in self.project_groups.items() if held.group_id != group_id
        }
        self.tell("group.deleted", group_id)
        self.changed()

    def add_to_group(self, group_id: str, user_id: str) -> None:
        group = self._own_group(group_id)
        if user_id in group.user_ids:
            raise Refused(f"User '{user_id}' already exists in group '{group_id}'.", param="user_id")
        group.user_ids.append(user_id)
        self.tell("tenant.group.member.added", group_id, user_id=user_id)
        self.changed()

    def remove_from_group(self, group_id: str, user_id: str) -> None:
        group = self._own_group(group_id)
        if user_id not in group.user_ids:
            raise NotFound(f"User '{user_id}' is not a member of group '{group_id}'.")
        group.user_ids.remove(user_id)
        self.tell("tenant.group.member.removed", group_id, user_id=user_id)
        self.changed()

    def groups_of(self, user_id: str) -> list[Group]:
        return [group for group in self.groups.values() if user_id in group.user_ids]

    def _own_group(self, group_id: str) -> Group:
        """A group that may be changed here, and not only by the identity provider."""
        group = self.group(group_id)
        if group.is_scim_managed and self.behaviour.scim_refuses_writes:
            raise Refused(f"Group '{group_id}' is managed by your identity provider.")
        return group

    # Groups in projects

    def project_groups_of(self, project_id: str) -> list[ProjectGroup]:
        self.active_project(project_id)
        return [held for held in self.project_groups.values() if held.project_id == project_id]

    def project_group(self, project_id: str, group_id: str) -> ProjectGroup:
        self.active_project(project_id)
        held = self.project_groups.get(f"{project_id}/{group_id}")
        if held is None:
            raise NotFound(f"Group '{group_id}' was not found in project '{project_id}'.", param="group_id")
        return held

    def let_group_into_project(self, project_id: str, group_id: str) -> ProjectGroup:
        """Without a role as yet."""
        self.changeable_project(project_id)
        held = ProjectGroup(project_id, self.group(group_id).id, self.now)
        if held.id in self.project_groups:
            raise Refused(f"Group '{group_id}' already exists in project '{project_id}'.", param="group_id")
        self.project_groups[held.id] = held
        return held

    def has_project_through_group(self, project_id: str, user_id: str) -> bool:
        return any(f"{project_id}/{group.id}" in self.project_groups for group in self.groups_of(user_id))


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 255:
        raise Refused("'name' must have 1 to 255 characters.", param="name")
