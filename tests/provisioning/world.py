"""A small company, its OpenAI organization behind real HTTP, and Cakewalk between them."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from cakewalk.models import User
from directory.emails import email_key
from directory.models import Group, Membership, Person, PersonEmail, Source
from integrations.connectors.openai.simulator import Organization, Simulator
from integrations.models import Integration
from provisioning.models import AccessRule, Action, ProvisioningJob, RuleGrant

BOSS = "boss@example.org"


@dataclass
class World:
    """`sync()` and `preview()` return the document that `--json` prints."""

    organization: Organization
    simulator: Simulator
    integration: Integration = field(init=False)

    def __post_init__(self) -> None:
        Source.objects.get_or_create(name="hr", kind=Source.Kind.FILE)
        self.integration = Integration.objects.create(
            kind="openai",
            name="Acme",
            base_url=self.simulator.base_url,
            mode=Integration.Mode.MANAGE,
            first_removals=Integration.FirstRemovals.ALLOW,
        )
        self.integration.store_credential(self.organization.admin_key, now=timezone.now())
        self.integration.enable(now=timezone.now())
        self.hire(BOSS, "owners")
        self.rule("Owners", "owner", group="owners")

    def hire(self, email: str, *groups: str) -> Person:
        return self.hire_all([email], *groups)[0]

    def hire_all(self, emails: Iterable[str], *groups: str) -> list[Person]:
        """In a handful of queries, however many they are."""
        hr = Source.objects.get(name="hr")
        people = Person.objects.bulk_create(Person(email=email, source=hr) for email in emails)
        PersonEmail.objects.bulk_create(
            PersonEmail(person=person, address=person.email, key=email_key(person.email)) for person in people
        )
        for name in groups:
            group, _ = Group.objects.get_or_create(name=name)
            Membership.objects.bulk_create(Membership(person=person, group=group) for person in people)
        return people

    def person(self, email: str) -> Person:
        return Person.objects.get(email=email)

    def dismiss(self, *emails: str) -> None:
        Person.objects.filter(email__in=emails).update(active=False)

    def hire_again(self, *emails: str) -> None:
        Person.objects.filter(email__in=emails).update(active=True)

    def rule(
        self,
        name: str,
        role: str = "reader",
        *,
        group: str | None = None,
        state: str = "active",
        **grants: str,
    ) -> AccessRule:
        """`grants`: project names and the role there, as `Search="member"`."""
        of = Group.objects.get_or_create(name=group)[0] if group else None
        rule = AccessRule.objects.create(
            integration=self.integration, name=name, role=role, group=of, state=state
        )
        for project, held in grants.items():
            RuleGrant.objects.create(rule=rule, name=project, role=held)
        return rule

    def let_invites_lapse(self, days: int = 7) -> None:
        """As if they had been sent so many days ago, and everything before them as much earlier."""
        for invite in self.organization.invites.values():
            invite.expires_at = 1
        sent = Action.objects.filter(finished_at__isnull=False)
        sent.update(finished_at=F("finished_at") - timedelta(days=days))

    def configure(self, **settings: Any) -> None:
        Integration.objects.filter(pk=self.integration.pk).update(**settings)
        self.integration.refresh_from_db()

    def approver(self, name: str = "alice") -> User:
        return User.objects.create_superuser(name, f"{name}@example.org", "x" * 16)

    def sync(self, *options: str) -> dict[str, Any]:
        return command("sync", "Acme", *options)[0]

    def preview(self) -> dict[str, Any]:
        return self.sync("--preview")

    def approve(self, number: int, by: str = "alice", reason: str = "They left.") -> dict[str, Any]:
        return command("approve", str(number), "--by", by, "--reason", reason)[0]

    def job(self, document: dict[str, Any]) -> ProvisioningJob:
        return ProvisioningJob.objects.get(pk=document["job"])

    def members(self) -> set[str]:
        return {user.email for user in self.organization.users.values() if user.email}

    def writes(self) -> list[tuple[str, str]]:
        """Every request so far that could have changed something."""
        return [(asked.method, asked.path) for asked in self.simulator.requests if asked.method != "GET"]


def staffed(world: World, number: int) -> list[str]:
    """That many people who are members already, and entitled to be."""
    emails = [f"p{place}@example.org" for place in range(number)]
    world.hire_all(emails, "staff")
    for email in emails:
        world.organization.add_member(email)
    world.rule("Staff", group="staff")
    return emails


def held_job(world: World) -> ProvisioningJob:
    """A job whose only action, the removal of p0, waits for approval."""
    world.configure(first_removals=Integration.FirstRemovals.HOLD)
    emails = staffed(world, 6)
    world.dismiss(emails[0])
    document = world.sync()
    assert (document["state"], document["holds"][0]["code"]) == ("awaiting_approval", "first_removals")
    return world.job(document)


def command(*words: str) -> tuple[dict[str, Any], int]:
    """A command's document and exit status."""
    out, status = StringIO(), 0
    try:
        call_command(*words, "--json", stdout=out, stderr=StringIO())
    except SystemExit as end:
        status = int(end.code or 0)
    return json.loads(out.getvalue()), status


def brief(document: dict[str, Any], *, kinds: Collection[str] = ()) -> list[tuple[str, str, str]]:
    """What the actions were and became."""
    return [
        (action["kind"], action["email"], action["state"])
        for action in document["actions"]
        if not kinds or action["kind"] in kinds
    ]
