"""Somebody at the admin's pages, with a real browser: what all of them do there."""

from playwright.sync_api import Locator, Page, expect

from tests.stack.installation import Installation


class Staff:
    """`clicks`: how many it took since they signed in. `problems`: of the pages' scripts."""

    def __init__(self, page: Page, installation: Installation) -> None:
        self.page = page
        self.installation = installation
        self.problems: list[str] = []
        self.clicks = 0
        page.on("pageerror", lambda error: self.problems.append(str(error)))

    def open(self, path: str) -> None:
        self.page.goto(f"{self.installation.url}/admin/{path}")

    def sign_in(self, username: str, password: str) -> None:
        self.open("")
        self.page.get_by_label("Username").fill(username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page).to_have_title("Home | Cakewalk")

    def click(self, what: Locator) -> None:
        self.clicks += 1
        what.click()

    def follow(self, *links: str) -> None:
        for name in links:
            self.click(self.page.get_by_role("link", name=name).first)

    def expect_ended(self, state: str) -> None:
        """The job's page follows the job by itself."""
        expect(self.page.locator("#job .cw-label").first).to_have_text(state, timeout=30_000)

    def expect_action(self, email: str, *words: str) -> None:
        row = self.page.get_by_role("row").filter(has_text=email)
        for text in words:
            expect(row).to_contain_text(text)
