"""The roles that a simulated organization and its projects have."""

from collections.abc import Iterator

from integrations.connectors.openai.simulator.audit import Audit
from integrations.connectors.openai.simulator.records import Role
from integrations.connectors.openai.simulator.refusals import NotFound, Refused

PROJECT_ROLES = {
    "owner": ["api.project.read", "api.project.write", "api.model.request"],
    "member": ["api.project.read", "api.model.request"],
    "viewer": ["api.project.read"],
}


class Roles(Audit):
    def add_predefined_role(self, name: str) -> Role:
        role_id = f"role-api-organization-{name}__api-organization__{self.id}"
        role = Role(role_id, name, ["api.organization.read"], self.now, predefined_role=True)
        self.roles[role.id] = role
        return role

    def add_role(
        self,
        name: str,
        permissions: list[str],
        description: str | None = None,
        *,
        project_id: str | None = None,
    ) -> Role:
        role = Role(self.new_id("role_"), name, permissions, self.now, description, project_id=project_id)
        self.roles[role.id] = role
        self.tell(
            "role.created",
            role.id,
            project_id=project_id,
            role_name=name,
            permissions=permissions,
            resource_type=role.resource_type,
            resource_id=project_id or self.id,
        )
        self.changed()
        return role

    def organization_roles(self) -> list[Role]:
        return [role for role in self.roles.values() if role.project_id is None]

    def role(self, role_id: str) -> Role:
        role = self.roles.get(role_id)
        if role is None or role.project_id is not None:
            raise NotFound(f"No role found with id '{role_id}'.", param="role_id")
        return role

    def project_roles(self, project_id: str) -> list[Role]:
        """The predefined ones first, which are not kept: every project has them."""
        custom = (role for role in self.roles.values() if role.project_id == project_id)
        return [*self._predefined_in(project_id), *custom]

    def _predefined_in(self, project_id: str) -> Iterator[Role]:
        made = self.projects[project_id].created_at
        for name, permissions in PROJECT_ROLES.items():
            role_id = f"role-api-project-{name}__api-project__{project_id}"
            yield Role(role_id, name, permissions, made, predefined_role=True, project_id=project_id)

    def project_role(self, project_id: str, role_id: str) -> Role:
        """The predefined ones also by the short form of their id, which no answer has."""
        for role in self.project_roles(project_id):
            if role.id in (role_id, f"{role_id}__api-project__{project_id}"):
                return role
        raise NotFound(f"No role found with id '{role_id}' in project '{project_id}'.", param="role_id")

    def change_role(
        self, role: Role, name: str | None, permissions: list[str] | None, description: str | None
    ) -> Role:
        self._refuse_predefined(role)
        changes: dict[str, object] = {}
        if name is not None and name != role.name:
            changes["role_name"] = name
            self._rename_held(role, name)
            role.name = name
        if permissions is not None:
            changes["permissions_added"] = [new for new in permissions if new not in role.permissions]
            changes["permissions_removed"] = [old for old in role.permissions if old not in permissions]
            role.permissions = permissions
        if description is not None:
            changes["description"] = role.description = description
        role.updated_at = self.now
        self.tell("role.updated", role.id, project_id=role.project_id, changes_requested=changes)
        self.changed()
        return role

    def delete_role(self, role: Role) -> None:
        """Whoever held it holds it no more; a member of a project who had no other role is a plain member."""
        self._refuse_predefined(role)
        del self.roles[role.id]
        self._rename_held(role, "member")
        for role_ids in self._all_held():
            if role.id in role_ids:
                role_ids.remove(role.id)
        self.tell("role.deleted", role.id, project_id=role.project_id)
        self.changed()

    def _all_held(self) -> Iterator[list[str]]:
        yield from (user.role_ids for user in self.users.values())
        yield from (group.role_ids for group in self.groups.values())
        yield from (membership.role_ids for membership in self.memberships.values())
        yield from (group.role_ids for group in self.project_groups.values())

    def _rename_held(self, role: Role, name: str) -> None:
        """Memberships hold their role by its name, as OpenAI shows them."""
        for held in self.memberships.values():
            if held.project_id == role.project_id and held.role == role.name:
                held.role = name

    def _refuse_predefined(self, role: Role) -> None:
        if role.predefined_role:
            raise Refused(f"Role '{role.id}' is predefined and cannot be changed.")
