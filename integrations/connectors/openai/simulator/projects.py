"""The projects of a simulated organization, and the people in them."""

from typing import Any

from integrations.connectors.openai.simulator.members import Members
from integrations.connectors.openai.simulator.records import Membership, Project, User
from integrations.connectors.openai.simulator.refusals import NotFound, Refused


class Projects(Members):
    """In the audit log, people who enter, change or leave a project are users added, updated and deleted.

    OpenAI's description of those events speaks of projects, and the same events tell of the organization.
    """

    @property
    def default_project(self) -> Project:
        return next(project for project in self.projects.values() if project.is_default)

    def add_project(self, name: str, **facts: Any) -> Project:
        project = Project(self.new_id("proj_"), name, self.now, **facts)
        self.projects[project.id] = project
        self.tell("project.created", project.id, project_id=project.id, data={"name": name, "title": name})
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
        project = self.changeable_project(project_id)
        project.name = project.name if name is None else name
        project.external_key_id = project.external_key_id if external_key_id is None else external_key_id
        self.tell(
            "project.updated", project.id, project_id=project.id, changes_requested={"title": project.name}
        )
        self.changed()
        return project

    def archive_project(self, project_id: str) -> Project:
        """Nobody is in an archived project, and there is no way back."""
        project = self.changeable_project(project_id)
        project.archived_at = self.now
        self.memberships = {i: held for i, held in self.memberships.items() if held.project_id != project_id}
        self.project_groups = {
            i: group for i, group in self.project_groups.items() if group.project_id != project_id
        }
        self.service_accounts = {
            i: account for i, account in self.service_accounts.items() if account.project_id != project_id
        }
        self.project_keys = {i: key for i, key in self.project_keys.items() if key.project_id != project_id}
        self.tell("project.archived", project.id, project_id=project.id)
        self.changed()
        return project

    def active_project(self, project_id: str) -> Project:
        project = self.project(project_id)
        if project.archived_at is not None:
            raise Refused(f"Project '{project_id}' is archived.", param="project_id")
        return project

    def changeable_project(self, project_id: str) -> Project:
        project = self.active_project(project_id)
        if project.is_default:
            raise Refused("The default project cannot be modified, archived or given members directly.")
        return project

    # People in projects

    def add_to_project(self, project: str, person: str, role: str = "member") -> Membership:
        held = Membership(self.find_project(project).id, self.find_user(person).id, role, self.now)
        self.memberships[held.id] = held
        self.tell("user.added", held.user_id, project_id=held.project_id, data={"role": role})
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
        self.changeable_project(project_id)
        self._check_role_name(project_id, role)
        if user.is_owner or f"{project_id}/{user.id}" in self.memberships:
            raise Refused(f"User '{user.id}' already exists in project '{project_id}'.", param="user_id")
        return self.add_to_project(project_id, user.id, role)

    def change_in_project(self, project_id: str, user_id: str, role: str | None) -> Membership:
        held = self.changeable_membership(project_id, user_id)
        if role is not None:
            self._check_role_name(project_id, role)
            held.role = role
            self.tell("user.updated", user_id, project_id=project_id, changes_requested={"role": role})
            self.changed()
        return held

    def take_project(self, project_id: str, user_id: str) -> None:
        del self.memberships[self.changeable_membership(project_id, user_id).id]
        self.tell("user.deleted", user_id, project_id=project_id)
        self.changed()

    def changeable_membership(self, project_id: str, user_id: str) -> Membership:
        self.changeable_project(project_id)
        user = self.users.get(user_id)
        if user is not None and user.is_owner:
            raise Refused("Owners of the organization are owners of all its projects.", param="user_id")
        held = self.memberships.get(f"{project_id}/{user_id}")
        if held is None:
            raise Refused(f"User '{user_id}' is not a member of project '{project_id}'.", param="user_id")
        return held

    def _check_role_name(self, project_id: str, role: str) -> None:
        """People are put into a project with a role's name, where a group needs its id."""
        names = [known.name for known in self.project_roles(project_id)]
        if not self.behaviour.viewers_by_name:
            names.remove("viewer")
        if role not in names:
            raise Refused(f"Invalid role '{role}'. Expected one of: {', '.join(names)}.", param="role")
