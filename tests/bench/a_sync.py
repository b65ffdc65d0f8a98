"""What runs inside an installation for the measurement of a sync: `python -m tests.bench.a_sync fill | sync`.

`fill`: its people and rules, from the line that tests.bench.canned prints and the number of members.
`sync`: `manage.py sync Acme`, which then tells what the job cost.
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import argparse
import io
import json
import os
import sys
from typing import Any

import django

from tests.bench.company import OWNER, email_of, name_of_project
from tests.bench.cost import Cost, measured

NAME = "Acme"


def fill(told: dict[str, Any], members: int) -> None:
    """Everybody in the group of their project, and in one that all are in."""
    from django.utils import timezone  # noqa: PLC0415 - Django must be set up first

    from directory.models import Group, Membership, Person, PersonEmail, Source  # noqa: PLC0415
    from integrations.models import Integration  # noqa: PLC0415
    from provisioning.models import AccessRule, RuleGrant  # noqa: PLC0415

    acme = Integration.objects.create(
        kind="openai", name=NAME, base_url=told["base_url"], mode="manage", first_removals="allow"
    )
    acme.store_credential(told["admin_key"], now=timezone.now())
    acme.enable(now=timezone.now())
    hr = Source.objects.create(name="hr", kind=Source.Kind.FILE)
    projects = len(told["projects"])
    staff = Group.objects.create(name="staff")
    teams = [Group.objects.create(name=f"team {number}") for number in range(projects)]
    AccessRule.objects.create(integration=acme, name="Staff", role="reader", group=staff, state="active")
    for number, team in enumerate(teams):
        rule = AccessRule.objects.create(
            integration=acme, name=f"Rule {number}", role="reader", group=team, state="active"
        )
        RuleGrant.objects.create(rule=rule, name=name_of_project(number), role="member")
    owners = Group.objects.create(name="owners")
    AccessRule.objects.create(integration=acme, name="Owners", role="owner", group=owners, state="active")
    emails = [OWNER, *(email_of(number) for number in range(members - 1))]
    people = Person.objects.bulk_create(
        [Person(email=email, name=f"Pérson {email}", source=hr) for email in emails], batch_size=2000
    )
    addresses = [PersonEmail(person=one, address=one.email, key=one.email) for one in people]
    PersonEmail.objects.bulk_create(addresses, batch_size=2000)
    belongings = [Membership(person=people[0], group=owners)]
    for number, person in enumerate(people[1:]):
        belongings += [
            Membership(person=person, group=teams[number % projects]),
            Membership(person=person, group=staff),
        ]
    Membership.objects.bulk_create(belongings, batch_size=2000)


def sync() -> Cost:
    """Of the job itself. That it found nothing to do is made sure of, unless it is the first."""
    from django.core.management import call_command  # noqa: PLC0415

    from provisioning import reconciliation  # noqa: PLC0415

    run, costs = reconciliation.run, []

    def measured_run(*given: Any, **named: Any) -> None:
        costs.append(measured(lambda: run(*given, **named)))

    reconciliation.run = measured_run
    said = io.StringIO()
    call_command("sync", NAME, "--json", stdout=said)
    document = json.loads(said.getvalue())
    if (document["state"], document["counts"]["planned"], document["counts"]["reported"]) != (
        "succeeded",
        0,
        0,
    ):
        raise SystemExit(f"This is no sync without a change: {document['state']}, {document['counts']}")
    [cost] = costs
    return cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["fill", "sync"])
    parser.add_argument("--members", type=int)
    given = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cakewalk.settings")
    django.setup()
    if given.what == "fill":
        fill(json.loads(sys.stdin.readline()), given.members)
    else:
        print(sync().as_json())


if __name__ == "__main__":
    main()
