"""The main job as its users do it, in a real browser: from signing in to watching somebody leave."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from integrations.connectors.openai.simulator import Simulator
from tests.stack.installation import Installation, eventually
from tests.stack.staff import Staff

pytestmark = pytest.mark.browser

PEOPLE = """\
email,name,active,groups
editor@example.org,Edith Editor,yes,editors
ada@example.org,Ada Byron,yes,writers
grace@example.org,Grace Hopper,yes,writers
"""
LEAVER = "grace@example.org"


AS_IN_PRODUCTION = pytest.param("three_processes", marks=[pytest.mark.services, pytest.mark.soak])


@pytest.fixture(params=["single_process", AS_IN_PRODUCTION])
def installation(request: pytest.FixtureRequest) -> Installation:
    """The story is told on SQLite in one process, and by .ci/run on PostgreSQL and Redis in three."""
    found: Installation = request.getfixturevalue(request.param)
    return found


class Founder(Staff):
    """Who sets it up, and the chapters of that."""

    def __init__(self, page: Page, installation: Installation, newsroom: Simulator) -> None:
        super().__init__(page, installation)
        self.newsroom = newsroom
        self.organization = newsroom.organization

    def enter(self, key: str) -> None:
        self.page.get_by_label("Name", exact=True).fill("Newsroom")
        self.page.get_by_label("API key", exact=True).fill(key)
        if not self.page.get_by_label("API address").is_visible():
            self.page.get_by_text("Advanced").click()
        self.page.get_by_label("API address").fill(self.newsroom.base_url)
        self.page.get_by_role("button", name="Save & Enable").click()

    def import_people(self, file: Path) -> None:
        self.open("directory/person/")
        self.follow("Import people")
        self.page.get_by_label("File", exact=True).set_input_files(file)
        expect(self.page.get_by_label("Source", exact=True)).not_to_have_value(file.name)
        self.page.get_by_label("Source", exact=True).fill("newsroom")
        self.page.get_by_role("button", name="Show what would change").click()
        expect(self.page.get_by_text(LEAVER)).to_be_visible()
        self.page.get_by_role("button", name=re.compile("Import these")).click()
        expect(self.page.get_by_text("Imported people.csv: 3 added")).to_be_visible()

    def write_rule(self, name: str, group: str, role: str, project: str = "") -> None:
        self.open("provisioning/accessrule/add/")
        self.page.get_by_label("Name").first.fill(name)
        self.page.locator("#id_integration").select_option(label="Newsroom")
        self.page.locator("#id_group + .select2").click()
        self.page.get_by_role("searchbox").last.fill(group)
        self.page.get_by_role("option", name=group).click()
        self.page.locator("#id_role").select_option(role)
        self.page.get_by_role("radio", name=re.compile("Active")).check(force=True)
        if project:
            self.page.get_by_role("link", name=re.compile("Add another")).click()
            self.page.locator("#id_grants-0-name").fill(project)
        self.page.get_by_role("button", name="Save", exact=True).click()
        expect(self.page.get_by_role("heading", name=f"Activate the rule {name}?")).to_be_visible()
        self.page.get_by_role("button", name="Activate it").click()
        expect(self.page.get_by_text("was added successfully")).to_be_visible()

    def look_at_mode(self, mode: str) -> None:
        """What it would do, in words."""
        self.open("integrations/integration/")
        self.follow("Newsroom")
        self.page.get_by_role("button", name=f"See what {mode} would do").click()
        expect(self.page.get_by_text(f"Here is what mode {mode} would do")).to_be_visible(timeout=30_000)

    def press(self, button: str) -> None:
        """A button of the integration's page, and the same one of its question."""
        self.open("integrations/integration/")
        self.follow("Newsroom")
        self.page.get_by_role("button", name=button).first.click()
        self.page.get_by_role("dialog").get_by_role("button", name=button).click()

    def members(self) -> set[str | None]:
        return {user.email for user in self.organization.users.values()}

    # -- chapters

    def connect(self) -> None:
        """A project key is refused at once, with all else kept; the admin key is tried, and enables."""
        page = self.page
        self.follow("Catalog", "Connect")
        self.enter(self.organization.project_key)
        expect(page.get_by_text("This is a project key")).to_be_visible()
        expect(page.get_by_label("Name", exact=True)).to_have_value("Newsroom")
        assert self.organization.project_key not in page.content()
        self.enter(self.organization.admin_key)
        expect(page.get_by_role("heading", name="Newsroom is enabled")).to_be_visible()
        expect(page.get_by_text("sk-admin-…" + self.organization.admin_key[-4:])).to_be_visible()
        expect(
            page.get_by_role("link", name=re.compile("Import people|Write an access rule"))
        ).to_be_visible()
        assert self.organization.admin_key not in page.content()

    def preview_and_switch(self) -> None:
        """Raising the mode shows first what a sync would do."""
        self.look_at_mode("manage")
        expect(self.page.get_by_text("A sync would invite 2 people.")).to_be_visible()
        preview = self.installation.settled()[0]
        assert (preview["preview"], preview["counts"]["planned"]) == (True, 2)
        self.follow("line by line")
        expect(self.page.get_by_text("This is a preview: nothing was changed.")).to_be_visible()
        self.expect_action(LEAVER, "Invite as reader", "Planned")
        assert not self.organization.invites
        self.page.go_back()
        self.page.get_by_role("button", name="Switch to manage", exact=True).click()
        expect(self.page.get_by_role("heading", name="Mode manage")).to_be_visible()

    def sync(self) -> None:
        self.press("Sync now")
        self.expect_ended("Succeeded")
        self.expect_action(
            LEAVER, "Invite as reader", "Entered into", "Writers search", "Search (member)", "Done"
        )
        assert {invite.email for invite in self.organization.invites.values()} == {"ada@example.org", LEAVER}

    def sync_again(self) -> None:
        for invite in list(self.organization.invites.values()):
            self.organization.accept_invite(invite.email)
        self.press("Sync now")
        self.expect_ended("Succeeded")
        expect(self.page.get_by_text("There was nothing to do.")).to_be_visible()

    def deactivate(self) -> None:
        """They leave the organization without anybody asking for a sync."""
        self.open(f"directory/person/?q={LEAVER}")
        self.follow("Grace Hopper")
        self.page.get_by_role("button", name="Deactivate").first.click()
        self.page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
        expect(self.page.get_by_text(f"Deactivated {LEAVER}")).to_be_visible()
        eventually(lambda: LEAVER not in self.members(), 30, "The leaving")
        assert self.members() == {"editor@example.org", "ada@example.org"}

    def read_why(self) -> None:
        removal = next(job for job in self.installation.settled() if job["counts"]["done"])
        assert (removal["trigger"], removal["state"]) == ("directory", "succeeded")
        self.open(f"provisioning/provisioningjob/{removal['job']}/change/")
        expect(self.page.locator("summary", has_text="Leavers")).to_be_visible()
        why = "Set inactive in the directory"
        self.expect_action(LEAVER, "Remove from the organization", why, "seen after")


def test_from_an_admin_key_to_a_leaver_who_is_gone(
    installation: Installation, newsroom: Simulator, context: BrowserContext, tmp_path: Path
) -> None:
    newsroom.organization.add_project("Search")
    file = tmp_path / "people.csv"
    file.write_text(PEOPLE)
    staff = Founder(context.new_page(), installation, newsroom)
    staff.sign_in("admin", installation.password)
    staff.connect()
    staff.import_people(file)
    staff.write_rule("Editors own it", "editors", "owner")
    staff.write_rule("Writers search", "writers", "reader", "Search")
    installation.settled()
    staff.preview_and_switch()
    staff.sync()
    staff.sync_again()
    staff.deactivate()
    staff.read_why()
    assert staff.problems == []
    assert leaks(installation, newsroom.organization.admin_key) == []


def leaks(installation: Installation, secret: str) -> list[str]:
    """Where the secret stands in what the processes printed or what a dump of the database holds."""
    places = {name: installation.log(name) for name in installation.processes}
    places["dumpdata"] = installation.run("dumpdata")
    return [name for name, text in places.items() if secret in text]
