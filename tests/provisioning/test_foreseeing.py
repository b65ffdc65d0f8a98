"""What a change of the rules is foretold to do is what a preview plans once it is saved."""

import random
from collections import Counter
from itertools import count
from typing import Any

import pytest
from django.utils import timezone

from directory.models import Group, Membership, Person
from provisioning.foreseeing import Change, Forecast, RuleSet, foresee
from provisioning.models import AccessRule, Action, Mark, RuleGrant
from provisioning.policy import Rule
from provisioning.policy import RuleGrant as GrantValue
from provisioning.touching import Effect
from tests.effort import seeds
from tests.provisioning.world import World

GROUPS = ("red", "green", "blue")
PEOPLE = tuple(f"p{number}@example.org" for number in range(9))
GIVEN = (
    GrantValue("project", "Search", "member"),
    GrantValue("project", "Search", "owner"),
    GrantValue("project", "Voice", "viewer"),
    GrantValue("project", "Vision", "member", create=True),
    GrantValue("project", "Nowhere", "member"),
    GrantValue("group", "platform", "member"),
    GrantValue("role", "Key auditor", "holder"),
    GrantValue("project role", "Search: Prompt editor", "holder"),
)


class Company:
    """A world that is made of chances, and rules that are changed by chance."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.dice, self.numbers = world, random.Random(seed), count(1)
        there = world.organization
        self.search, self.voice = there.add_project("Search"), there.add_project("Voice")
        self.platform = there.add_group("platform")
        there.add_role("Key auditor", [])
        there.add_role("Prompt editor", [], project_id=self.search.id)
        for email in PEOPLE:
            world.hire(email, *self.dice.sample(GROUPS, self.dice.randint(0, 2)))
        for email in self.dice.sample([*PEOPLE, "stranger@example.org", "vip@example.org"], 7):
            self._appears(email)
        world.configure(
            mode=self.dice.choice(["observe", "extend", "manage", "manage", "manage"]),
            removal_limit_count=self.dice.randint(0, 3),
            first_removals=self.dice.choice(["hold", "allow"]),
            orphans=self.dice.choice(["report", "remove"]),
        )
        self.mark(self.dice.choice(PEOPLE))
        self.asks_for_all = seed % 2 == 0
        if self.asks_for_all:
            all_kinds = {(one.kind, one.name): one for one in GIVEN if one.name != "Nowhere"}
            self.save(Rule("Base", self._group("red"), "reader", tuple(all_kinds.values())))

    def _appears(self, email: str) -> None:
        there = self.world.organization
        if self.dice.random() < 0.3:
            there.invite_person(
                email, "reader", {self.search.id: "member"} if self.dice.random() < 0.5 else {}
            )
            return
        user = there.add_member(email, self.dice.choice(["reader", "reader", "owner"]))
        for project in self.dice.sample([self.search, self.voice], self.dice.randint(0, 2)):
            if not user.is_owner:
                there.give_project(project.id, user, self.dice.choice(["member", "viewer"]))
        if self.dice.random() < 0.4:
            there.add_to_group(self.platform.id, user.id)

    def mark(self, email: str) -> None:
        Mark.objects.create(
            integration=self.world.integration, email=email, key=email, kind="protected", reason="Agreed."
        )

    def _group(self, name: str) -> int:
        return Group.objects.get_or_create(name=name)[0].pk

    def any_change(self) -> tuple[Rule | None, Rule | None]:
        """The rule that goes, and the one that comes, either of which may be none."""
        stored = self.world.integration.rules.exclude(name="Owners").prefetch_related("grants")
        old = self.dice.choice([None, *(row.as_value() for row in stored)])
        new = None if old and self.dice.random() < 0.3 else self._any_rule(old)
        return old, new

    def _any_rule(self, old: Rule | None) -> Rule:
        name = old.name if old else f"{self.dice.choice('ABXYZ')} {next(self.numbers)}"
        group = self.dice.choice([None, *map(self._group, GROUPS)])
        chosen = {(one.kind, one.name): one for one in self.dice.sample(GIVEN, self.dice.randint(0, 3))}
        return Rule(name, group, self.dice.choice(["reader", "reader", "owner"]), tuple(chosen.values()))

    def save(self, rule: Rule) -> None:
        row, _ = AccessRule.objects.update_or_create(
            integration=self.world.integration,
            name=rule.name,
            defaults={"group_id": rule.group, "role": rule.role, "state": "active"},
        )
        row.grants.all().delete()
        for one in rule.grants:
            RuleGrant.objects.create(rule=row, kind=one.kind, name=one.name, role=one.role, create=one.create)

    def carry_out(self, old: Rule | None, new: Rule | None) -> None:
        if new:
            self.save(new)
        elif old:
            AccessRule.objects.filter(name=old.name).delete()

    def life_goes_on(self) -> None:
        """In the directory, between a read and the next."""
        somebody = Person.objects.get(email=self.dice.choice(PEOPLE))
        group = Group.objects.get_or_create(name=self.dice.choice(GROUPS))[0]
        if self.dice.random() < 0.5:
            Membership.objects.get_or_create(person=somebody, group=group)
        else:
            Membership.objects.filter(person=somebody, group=group).delete()
        if self.dice.random() < 0.3:
            Person.objects.filter(pk=somebody.pk).update(active=not somebody.active)


def foretold(world: World, old: Rule | None, new: Rule | None) -> Forecast:
    before = RuleSet.stored(world.integration)
    after = before.exchanging([old.name] if old else [], [new] if new else [])
    about = tuple(rule for rule in (new or old,) if rule)
    return foresee(world.integration, Change(before, after, about), now=timezone.now())


Told = Counter[tuple[object, ...]]


def lines_of(forecast: Forecast) -> Told:
    return Counter(
        (
            str(action.kind),
            action.email,
            action.account_id,
            action.role,
            action.entitlement.name if action.entitlement else None,
            str(decision) if action.writes else "done",
        )
        for (action, _), (decision, _) in zip(forecast.plan, forecast.decisions, strict=True)
    )


def lines_in(document: dict[str, Any]) -> Told:
    numbered = Action.objects.filter(job=document["job"], proposed=False)
    return Counter(
        (row.kind, row.email, row.account_id, row.role, (row.entitlement or {}).get("name"), row.state)
        for row in numbered
    )


def coarse(lines: Told) -> Told:
    """What becomes of members, without what they hold, and whether it waits."""
    kinds = ("remove", "change_role")
    return Counter((kind, email, role) for kind, email, _, role, _, _ in lines if kind in kinds)


@pytest.mark.parametrize("seed", seeds(2))
def test_what_is_foretold_is_what_a_preview_plans_after_saving(world: World, seed: int) -> None:
    company = Company(world, seed)
    earlier = world.preview()
    exactly = 0
    for step in range(5):
        quiet = company.dice.random() < 0.6
        if not quiet:
            company.life_goes_on()
        old, new = company.any_change()
        asked = len(world.simulator.requests)

        forecast = foretold(world, old, new)

        assert len(world.simulator.requests) == asked
        company.carry_out(old, new)
        document = world.preview()
        told = f"seed {seed}, step {step}: {old} → {new}"
        if not forecast.whole:
            assert coarse(lines_of(forecast)) == coarse(lines_in(document)), told
        else:
            exactly += 1
            assert lines_of(forecast) == lines_in(document), told
            assert [hold["detail"] for hold in document["holds"]] == [
                one.removesuffix(".") for one in forecast.holds
            ], told
        if quiet:
            assert_touches_what_differs(forecast, earlier, document)
        earlier = document
        if company.dice.random() < 0.3:
            world.sync()
            earlier = world.preview()
    assert exactly or not company.asks_for_all


def assert_touches_what_differs(forecast: Forecast, earlier: dict[str, Any], later: dict[str, Any]) -> None:
    told = {who for one in forecast.touched if one.effect is Effect.REMOVED for who in one.who}
    assert told == subjects(later, "remove") - subjects(earlier, "remove")
    spared = {who for one in forecast.touched if one.effect is Effect.KEEPS for who in one.who}
    assert subjects(earlier, "remove") - subjects(later, "remove") <= spared | subjects(later, "change_role")


def subjects(document: dict[str, Any], kind: str) -> set[str]:
    return {one["email"] for one in document["actions"] if one["kind"] == kind}


def test_a_machine_s_account_is_known_as_one_from_the_plan_of_the_read(world: World) -> None:
    world.configure(orphans="remove")
    world.organization.add_member("bot@example.org").is_service_account = True
    world.preview()

    forecast = foretold(world, None, Rule("Everybody", None, "reader"))

    assert ("report", "bot@example.org") in {line[:2] for line in lines_of(forecast)}
    world.rule("Everybody")
    assert lines_of(forecast) == lines_in(world.preview())
