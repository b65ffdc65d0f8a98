"""A person's page foresees what the next job decides, whatever has become of them."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from cakewalk.models import User
from directory.admin import why
from directory.models import Group, Person
from provisioning import reconciliation, wording
from provisioning.dossier import Chapter
from provisioning.models import Mark, ProvisioningJob
from tests.provisioning.world import BOSS, World, held_job
from tests.scim.builders import ScimClient

DECISIONS = {
    "planned": "Would be done",
    "held": "Would wait for approval",
    "refused": "Would be refused",
    "skipped": "Would not be done",
    "done": "Would be reported",
}


def told(world: World, email: str) -> Chapter:
    [chapter] = why.chapters_of(world.person(email), seen_by=User(is_superuser=True), now=timezone.now())
    return chapter


def foreseen(chapter: Chapter) -> list[tuple[str, str]]:
    return [(line.what, line.name) for line in chapter.explanation.next]


def decided(world: World, email: str) -> list[tuple[str, str]]:
    """By a preview of this person, which asks the organization itself."""
    job = world.job(world.sync("--preview", "--person", email))
    return [(wording.what(row), DECISIONS[row.state]) for row in job.actions.order_by("seq")]


@pytest.fixture
def motley(world: World) -> World:
    """Somebody in every situation that is read from the organization as it is stored."""
    search = world.organization.add_project("Search")
    world.organization.add_project("Voice")
    world.rule("Staff", group="staff", Search="member")
    world.rule("Singers", group="singers", Voice="owner")
    for name in ("calm", "left", "ended", "moved", "drifted", "protected", "ignored", "one", "gone"):
        world.hire(f"{name}@example.org", "staff")
        world.organization.give_project(
            search.id, world.organization.add_member(f"{name}@example.org"), "member"
        )
    for number in range(40):  # so that the source has not shrunk past its guard
        world.hire(f"filler{number}@example.org")
    world.hire("fresh@example.org", "staff")
    world.hire("chief@example.org", "owners")
    world.organization.add_member("chief@example.org", "owner")
    world.hire("nobody@example.org")
    world.hire("loner@example.org")
    world.organization.add_member("loner@example.org")
    world.sync()

    world.dismiss("left@example.org", "gone@example.org", "chief@example.org")
    yesterday = timezone.localdate() - timedelta(days=1)
    Person.objects.filter(email="ended@example.org").update(end_date=yesterday)
    Person.objects.filter(email="fresh@example.org").update(name="Fresh")
    for kind in (Mark.Kind.PROTECTED, Mark.Kind.IGNORED):
        email = f"{kind}@example.org"
        world.dismiss(email)
        Mark.objects.create(
            integration=world.integration, email=email, key=email, kind=kind, reason="Agreed."
        )
    world.hire("later@example.org", "staff", "singers")
    world.person("moved@example.org").groups.set(Group.objects.filter(name="singers"))
    world.person("one@example.org").claim_addresses(["uno@example.org"])
    world.organization.add_member("uno@example.org")
    world.organization.set_organization_role(world.organization.find_user("drifted@example.org").id, "owner")
    world.organization.remove_user(world.organization.find_user("gone@example.org").id)
    world.preview()  # so that all that is stored is as it is now
    return world


def test_what_is_foreseen_of_each_person_is_what_the_next_job_decides(motley: World) -> None:
    everyone = list(Person.objects.exclude(email__startswith="filler").values_list("email", flat=True))
    for settings in ({}, {"mode": "extend"}, {"mode": "observe", "managed_domains": "example.com"}):
        motley.configure(**settings)
        before = {email: foreseen(told(motley, email)) for email in everyone}
        assert before == {email: decided(motley, email) for email in everyone}


def test_each_person_is_told_whose_account_it_is_what_differs_and_why(motley: World) -> None:
    def answer(name: str) -> tuple[str, tuple[str, ...], str]:
        explained = told(motley, f"{name}@example.org").explanation
        return explained.found, explained.differences, explained.next[0].why if explained.next else ""

    matched = "Matched by e-mail, and known by its id since."
    no_rule = "They have an account, and no rule gives one."
    yesterday = date_format(timezone.localdate() - timedelta(days=1))
    assert answer("calm") == (matched, (), "")
    assert answer("left") == (matched, (no_rule,), "They are not active in the directory.")
    assert answer("ended") == (matched, (no_rule,), f"They left: their last day was {yesterday}.")
    assert answer("protected") == (matched, (no_rule,), "Marked protected: Agreed.")
    assert answer("drifted")[1] == ("The role is owner, and the rules give reader.",)
    assert answer("moved")[1] == (
        "They have project Search (member), which no rule gives.",
        "They lack project Voice (owner).",
    )
    assert answer("later")[:2] == (
        "No account there answers to them.",
        ("The rules give an account, and they have none.",),
    )
    assert answer("one")[0] == "It cannot be told which account is theirs, so that none is touched."
    assert [row.email for row in told(motley, "one@example.org").others] == [
        "one@example.org",
        "uno@example.org",
    ]
    assert answer("gone") == ("No account there answers to them.", (), "")
    assert [row.email for row in told(motley, "gone@example.org").gone] == ["gone@example.org"]
    calm = told(motley, "calm@example.org")
    assert (calm.explanation.gives, calm.explanation.has) == ("reader, project Search (member)",) * 2
    assert [(rule.row.name, rule.gives) for rule in calm.rules] == [
        ("Staff", "reader, project Search (member)")
    ]


def test_who_is_out_of_reach_or_has_nothing_is_told_so(motley: World) -> None:
    motley.dismiss(BOSS)

    nobody, loner, boss = (told(motley, f"{name}@example.org") for name in ("nobody", "loner", "boss"))

    assert nobody.explanation.nothing == "Nothing to do: no rule gives them access, and they have none."
    assert nobody.last is None
    assert (loner.last and loner.last.kind) == "remove"
    assert [row.email for row in loner.gone] == ["loner@example.org"]
    [owner_of_the_key] = boss.explanation.next
    assert owner_of_the_key.name == "Would be refused"
    assert "owns the key that Cakewalk works with" in owner_of_the_key.why


def test_who_waits_for_an_approver_is_told_in_which_job(world: World) -> None:
    waiting = held_job(world)

    told_now = told(world, "p0@example.org")

    assert [(row.job_id, row.kind) for row in told_now.held] == [(waiting.pk, "remove")]
    assert foreseen(told_now) == [("Remove from the organization", "Would wait for approval")]
    assert told_now.explanation.next[0].why.endswith("Held for: First removals.")
    assert told_now.next == []  # it is said once


def test_an_invite_that_somebody_else_may_have_accepted_names_the_account(world: World) -> None:
    world.rule("Staff", group="staff")
    world.hire("ada@example.org", "staff")
    world.sync()
    world.organization.accept_invite("ada@example.org", under="private@example.com")
    world.sync()

    ada = told(world, "ada@example.org")

    assert ada.explanation.found == "None is known to be theirs. Perhaps private@example.com is."
    assert [row.email for row in ada.others] == ["private@example.com"]
    assert foreseen(ada) == decided(world, "ada@example.org") == [("Nothing is done", "Would be reported")]


def test_a_lapsed_invite_that_is_not_renewed_now_says_why(world: World) -> None:
    world.rule("Staff", group="staff")
    world.hire("ada@example.org", "staff")
    world.sync()
    for invite in world.organization.invites.values():
        invite.expires_at = 1
    world.preview()

    [line] = told(world, "ada@example.org").explanation.next

    assert line.why == (
        "The invite has expired. The last invite was sent within a day; the next follows after one."
    )


def test_a_new_e_mail_keeps_the_account(motley: World) -> None:
    person = motley.person("calm@example.org")
    person.email = "serene@example.org"
    person.save()
    person.claim_addresses([])

    serene = told(motley, "serene@example.org")

    assert serene.account is not None
    assert serene.account.email == "calm@example.org"
    assert serene.explanation.found.endswith(
        "known by its id since, though its address is none of theirs now."
    )
    assert foreseen(serene) == decided(motley, "serene@example.org") == []


def test_an_account_that_was_nobodys_is_found_by_its_address(world: World) -> None:
    world.rule("Staff", group="staff")
    world.organization.add_member("ada@example.org")
    world.sync()
    world.hire("ada@example.org", "staff")

    ada = told(world, "ada@example.org")

    assert ada.explanation.found == "Found by its address; the next job writes that down."
    assert foreseen(ada) == decided(world, "ada@example.org") == []


def test_before_anything_was_read_the_page_says_so(world: World) -> None:
    boss = told(world, BOSS)

    assert boss.explanation.found == "Nothing was read there yet."
    assert boss.read_at is None


class Reader:
    """Whoever reads one person's page and presses its buttons."""

    def __init__(self, world: World, person: Person) -> None:
        self.client = Client()
        self.client.force_login(world.approver("chief"))
        self.page = reverse("admin:directory_person_change", args=[person.pk])
        self.buttons = [person.pk, world.integration.pk]

    def sees(self, *sentences: str) -> None:
        html = " ".join(unescape(self.client.get(self.page).content.decode()).split())
        assert [sentence for sentence in sentences if sentence not in html] == []

    def presses(self, button: str) -> ProvisioningJob:
        """And waits for the job, to whose page that leads."""
        answer = self.client.post(reverse(f"admin:directory_person_{button}", args=self.buttons))
        job = ProvisioningJob.objects.latest("pk")
        assert answer["Location"] == reverse("admin:provisioning_provisioningjob_change", args=[job.pk])
        reconciliation.run(job.pk)
        job.refresh_from_db()
        assert job.state == "succeeded"
        return job


def test_the_story_of_one_person_is_on_their_page_from_joining_to_leaving(world: World) -> None:
    okta = ScimClient("okta")
    id = okta.user("ada@example.org", displayName="Ada")["id"]
    okta.group("staff", id)
    world.rule("Staff", group="staff")
    reader = Reader(world, Person.objects.get(public_id=id))

    reader.sees("Nothing was read there yet.", "Invite as reader", "Would be done", "the group staff")
    reader.presses("sync")
    reader.sees("an open invite, reader", "They have an open invite, and no membership yet.", ">Done</span>")

    world.organization.accept_invite("ada@example.org")
    world.sync()
    okta.patch(f"/Users/{id}", {"op": "replace", "path": "userName", "value": "ada.king@example.org"})
    reader.sees(
        "Nothing to do: the account is as the rules say.",
        "Matched by e-mail, and known by its id since.",
        "<del>ada@example.org</del> → <ins>ada.king@example.org</ins>",
    )

    okta.delete(f"/Users/{id}")
    reader.sees(
        "They are not active in the directory since",
        "by SCIM client of okta, with its token.",
        "Remove from the organization",
        "Would be done",
    )
    assert reader.presses("preview").preview
    assert "ada@example.org" in world.members()
    assert [action.kind for action in reader.presses("sync").actions.all()] == ["remove"]
    assert "ada@example.org" not in world.members()
    reader.sees(
        "No account there answers to them.",
        "Nothing to do: they have no account.",
        "2 accounts that were theirs",  # the invite, and what became of it
        ">Done</span>",
    )
