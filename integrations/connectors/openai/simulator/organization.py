"""A pretended OpenAI organization: its people, invites and projects, and the rules it holds them to."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from integrations.connectors.openai.simulator import seeding
from integrations.connectors.openai.simulator.admin_keys import AdminKeys
from integrations.connectors.openai.simulator.assignments import Assignments
from integrations.connectors.openai.simulator.behaviour import Behaviour
from integrations.connectors.openai.simulator.invites import Invites
from integrations.connectors.openai.simulator.members import ORGANIZATION_ROLES
from integrations.connectors.openai.simulator.project_keys import ProjectKeys


class Organization(AdminKeys, ProjectKeys, Assignments, Invites):
    """Starts with one owner, who holds the keys, and the default project that every organization has.

    `accept_after`: seconds after which a pending invite is accepted by itself; None waits for
    `accept_invite`.
    Methods named `add_…` build an organization by hand, in a test or a sample: they take a name or an address
    where the API wants an id, and may do what the API refuses. Inside `console(email)`, what is done to the
    organization is done by that member in OpenAI's console, and stands in the audit log.
    """

    def __init__(
        self,
        *,
        owner: str = "olivia.owner@example.org",
        accept_after: float | None = None,
        state: Path | None = None,
        clock: Callable[[], float] = time.time,
        salt: str = "",
        behaviour: Behaviour | None = None,
    ) -> None:
        super().__init__(clock=clock, salt=salt, behaviour=behaviour)
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
