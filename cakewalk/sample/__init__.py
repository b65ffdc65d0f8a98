"""Acme, a company to try Cakewalk with: its directory, its access rules, and its simulated organization.

The organization differs from what the rules want in one instructive way of each kind, so that the first
preview has something to show.
"""

from datetime import datetime
from pathlib import Path

from directory.import_plan import Options
from directory.importing import import_people
from directory.models import Person
from integrations.connectors.openai.simulator import Organization
from integrations.models import Integration
from provisioning.models import Mark
from provisioning.rules_file import import_rules

NAME = "Acme"
SOURCE = "sample"
ACCEPT_AFTER = 180
"""Seconds after which the simulated people accept their invites."""

FOLDER = Path(__file__).parent


def organization(state: Path) -> Organization:
    """Acme's organization at the simulated OpenAI, as `state` keeps it; a new one where there is none yet."""
    if state.exists():
        return Organization.load_file(state, accept_after=ACCEPT_AFTER, state=state)
    made = _made()
    made.accept_after = ACCEPT_AFTER
    made.state = state
    made.changed()
    return made


def _made() -> Organization:
    acme = Organization(owner="olivia.owner@example.org")
    for project in ("Search", "Assistants", "Evaluation", "Playground"):
        acme.add_project(project)
    _add_who_is_as_the_rules_say(acme)

    # A leaver with a project and a key there, one whose invite is still open, and someone whom no rule gives
    # anything.
    viktor = acme.add_member("viktor.petrov@example.org", name="Viktor Petrov")
    acme.add_to_project("Search", "viktor.petrov@example.org")
    acme.add_project_key(acme.find_project("Search").id, viktor.id, "laptop")
    acme.add_invite("laila.rahman@example.org")
    # Made an owner in OpenAI's console.
    acme.add_member("mei.tanaka@example.org", "owner", name="Mei Tanaka")
    # Known there by a former address; without the project of her team; with an invite that has lapsed.
    acme.add_member("countess@example.org", name="Ada Byron")
    acme.add_to_project("Search", "countess@example.org")
    acme.add_invite("henrik.bauer@example.org", projects={"Evaluation": "owner"}, expires_at=acme.now - 1)
    # Nobody's accounts: a contractor, and the owner's account for emergencies.
    acme.add_member("contractor@partner.example", name="Sam Contractor")
    acme.add_to_project("Playground", "contractor@partner.example")
    acme.add_member("emergency@example.org", "owner", name="Emergency access")
    return acme


def _add_who_is_as_the_rules_say(acme: Organization) -> None:
    acme.add_member("ines.almeida@example.org", "owner", name="Inês Almeida")
    for email, name, *projects in (
        ("grace.hopper@example.org", "Grace Hopper", "Assistants", "Search"),
        ("kwame.nwosu@example.org", "Kwame Nwosu", "Assistants", "Search"),
        ("priya.kumar@example.org", "Priya Kumar", "Assistants", "Search"),
        ("soren.larsen@example.org", "Søren Larsen", "Assistants"),
        ("zuzana.novak@example.org", "Zuzana Novák", "Assistants"),
    ):
        acme.add_member(email, name=name)
        for project in projects:
            acme.add_to_project(project, email)
    for email, name in (
        ("rosa.castillo@example.org", "Rosa Castillo"),
        ("tariq.haddad@example.org", "Tariq Haddad"),
    ):
        acme.add_member(email, name=name)
        acme.add_to_project("Evaluation", email, "owner")


def add_people(*, now: datetime) -> None:
    """The sample directory; nothing where there are people already."""
    if not Person.objects.exists():
        content = FOLDER.joinpath("people.csv").read_bytes()
        import_people("people.csv", content, Options(source=SOURCE), now=now)


def add_rules(integration: Integration) -> None:
    """The sample rules, and the mark on the emergency account; nothing where there are rules already."""
    if integration.rules.exists():
        return
    import_rules(integration, FOLDER.joinpath("rules.toml").read_bytes())
    email, reason = "emergency@example.org", "The way in when single sign-on is down."
    said = {"email": email, "kind": Mark.Kind.PROTECTED, "reason": reason}
    Mark.objects.set_apart(integration, email, said)
