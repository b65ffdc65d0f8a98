"""A plan for a large company whose members are all as they should be: `python -m tests.bench.planning`."""

# ruff: noqa: T201 - a command, which talks to whoever runs it

from directory.snapshot import Person
from integrations.connectors.base import Account, AccountState, Entitlement, Grant
from provisioning.matching import Links, match
from provisioning.planning import Planner
from provisioning.policy import Policy, Rule, RuleGrant, resolve
from tests.bench.company import email_of, name_of, name_of_project
from tests.bench.cost import measured
from tests.provisioning.builders import VOCABULARY

PEOPLE, PROJECTS = 100_000, 200


def main() -> None:
    projects = [
        Entitlement("project", f"proj_{number}", name_of_project(number)) for number in range(PROJECTS)
    ]
    rules = tuple(
        Rule(f"Rule {number}", number, "reader", (RuleGrant("project", project.name, "member"),))
        for number, project in enumerate(projects)
    )
    people = [
        Person(number, email_of(number), (email_of(number),), groups=frozenset([number % PROJECTS]))
        for number in range(PEOPLE)
    ]
    accounts = [
        Account(
            f"user-{number}",
            AccountState.ACTIVE,
            email_of(number),
            "reader",
            name_of(number),
            grants=(Grant("project", projects[number % PROJECTS].id, "member"),),
        )
        for number in range(PEOPLE)
    ]
    planner = Planner(Policy(rules, VOCABULARY, resolve(rules, projects)))
    plans: list[object] = []
    cost = measured(lambda: plans.extend(planner.plan(match(people, accounts, Links()))))
    assert not plans
    print(cost.as_json())


if __name__ == "__main__":
    main()
