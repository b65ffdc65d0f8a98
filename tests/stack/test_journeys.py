"""What three people do with `make run` and its sample, each in a browser of their own."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
from playwright.sync_api import Browser, expect

from tests.stack.installation import Installation
from tests.stack.staff import Staff

pytestmark = pytest.mark.browser

PASSWORD = "a long enough passphrase"
HIRE = """
from cakewalk.models import User
from django.contrib.auth.models import Group

for role in Group.objects.filter(name__in=["Operator", "Approver", "Auditor"]):
    user = User(username=f"the {role.name.lower()}", is_staff=True)
    user.set_password("%s")
    user.save()
    user.groups.add(role)
"""
LEAVER, EMAIL = "Grace Hopper", "grace.hopper@example.org"


@pytest.fixture(scope="module")
def installation(single_process: Installation) -> Installation:
    single_process.run("shell", "--verbosity=0", "--command", HIRE % PASSWORD)
    return single_process


Hire = Callable[[str], AbstractContextManager[Staff]]


@pytest.fixture(scope="module")
def hire(chromium: Browser, installation: Installation) -> Hire:
    """Somebody of this role, signed in."""

    @contextmanager
    def hired(role: str) -> Iterator[Staff]:
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(15_000)
        staff = Staff(context.new_page(), installation)
        staff.sign_in(f"the {role}", PASSWORD)
        yield staff
        context.close()
        assert staff.problems == []

    return hired


@pytest.fixture(scope="module")
def approved(hire: Hire) -> int:
    """In how many clicks. Until then, nobody's access is taken."""
    with hire("approver") as approver:
        page = approver.page
        approver.click(page.get_by_role("main").get_by_role("link", name="Review").first)
        expect(page.get_by_text("→ 16 if approved")).to_be_visible()
        approver.click(page.get_by_role("button", name="Approve", exact=True))
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_text("18 → 16")).to_be_visible()
        dialog.get_by_label("Reason").fill("Checked with their managers.")
        approver.click(dialog.get_by_role("button", name="Approve 4 actions"))
        approver.expect_ended("Succeeded")
        approver.expect_action("laila.rahman@example.org", "Withdraw the invite", "Done")
        expect(page.get_by_text("by the approver: Checked with their managers.").last).to_be_visible()
        return approver.clicks


@pytest.fixture(scope="module")
def deactivated(hire: Hire, approved: int) -> int:
    """In how many clicks."""
    with hire("operator") as operator:
        page = operator.page
        operator.follow("People", LEAVER)
        operator.click(page.get_by_role("button", name="Deactivate").first)
        operator.click(page.get_by_role("dialog").get_by_role("button", name="Deactivate"))
        expect(page.get_by_text(f"Deactivated {EMAIL}")).to_be_visible()
        operator.installation.settled()
        page.reload()
        expect(page.get_by_text("Remove from the organization", exact=True)).to_be_visible()
        return operator.clicks


def test_an_approver_is_led_to_what_waits_and_approves_it_with_a_reason(approved: int) -> None:
    assert approved == 3


def test_an_operator_deactivates_somebody_who_is_out_a_moment_later(deactivated: int) -> None:
    assert deactivated == 4


def test_an_auditor_shows_a_leaver_within_a_minute_and_three_clicks(hire: Hire, deactivated: int) -> None:
    """Since when it was known, what was done by which job, and when a read has shown it."""
    with hire("auditor") as auditor:
        page, began = auditor.page, time.monotonic()
        auditor.follow("People")
        page.get_by_role("searchbox").fill("grace")
        page.keyboard.press("Enter")
        auditor.follow(LEAVER)
        expect(page.get_by_text("Remove from the organization", exact=True)).to_be_visible()
        auditor.click(page.get_by_role("link", name="Job 3").first)
        auditor.expect_action(EMAIL, "Set inactive", "the operator", "Known", "seen after")
        assert auditor.clicks == 3
        assert time.monotonic() - began < 60
        expect(page.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
