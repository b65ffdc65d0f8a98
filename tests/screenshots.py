"""`make screenshots`: a picture of every page, in light, in dark and on a phone, and what axe says of each.

It starts the product as `make run` does, with the sample directory and the simulator, lets some
work pass on it, and walks through its pages. Pictures go to docs/screenshots,
figures to docs/accessibility.md.
"""

# ruff: noqa: T201 - a command, which talks to whoever runs it

import argparse
import base64
import os
import re
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests import machine, safety_page
from tests.stack.installation import ROOT, SingleProcess

FOLDER = ROOT / "docs" / "screenshots"
ACCESSIBILITY = ROOT / "docs" / "accessibility.md"
LEAVERS = ("alan.mathison", "kwame.nwosu", "mei.tanaka", "soren.larsen", "henrik.bauer")


@dataclass(frozen=True)
class Look:
    name: str
    width: int
    height: int
    theme: str


LOOKS = (
    Look("light", 1280, 860, "light"),
    Look("dark", 1280, 860, "dark"),
    Look("phone", 420, 860, "light"),
)
TALLEST = 1700
QUALITY = 45
PUBLIC = {
    "login": "/admin/login/",
    "not there": "/nowhere",
    "docs": "/docs/",
    "guide": "/docs/integration-guides/openai-platform",
}
"""What anybody can open."""


@dataclass
class Shown:
    """One page, and what axe says of it in each look."""

    title: str
    file: str
    passed: set[str] = field(default_factory=set)
    broken: dict[str, list[str]] = field(default_factory=dict)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make screenshots", description=__doc__)
    parser.add_argument(
        "--only", default="", metavar="WORD", help="pages whose name has it; nothing else is touched"
    )
    only = parser.parse_args().only
    with tempfile.TemporaryDirectory() as folder:
        installation = SingleProcess(Path(folder))
        print("Starting an installation of its own …", flush=True)
        try:
            installation.start()
            installation.settled()
            _speak_to(installation)
            pages = _pages(installation, only)
            shown = _walk(installation, pages)
        finally:
            installation.stop()
    broken = [
        f"{page.file} {look}: {line}"
        for page in shown
        for look, lines in page.broken.items()
        for line in lines
    ]
    print("\n".join(broken) or "axe finds nothing.")
    if not only:
        (FOLDER / "README.md").write_text(_gallery(shown))
        safety_page.write("axe", _report(shown), ACCESSIBILITY)
    return 1 if broken else 0


def _speak_to(installation: SingleProcess) -> None:
    """From now on this process reads and writes the installation's own database, as its commands do."""
    os.environ["ENV_FILE"] = str(installation.folder / ".env")
    os.environ["DATABASE_URL"] = f"sqlite:///{installation.folder}/var/cakewalk.sqlite3"
    os.environ["DJANGO_SETTINGS_MODULE"] = "cakewalk.settings"
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright keeps an event loop in this thread
    import django  # noqa: PLC0415

    django.setup()


def _pages(installation: SingleProcess, only: str) -> dict[str, str]:
    """The address of each page, by its name: of what a superuser can open, and of what anybody can."""
    from tests.admin.pages import address, html_pages  # noqa: PLC0415

    found = _something_on_every_page(installation)
    alike = ("_history", "_delete", "_add")
    pages = dict(PUBLIC)
    for name in html_pages():
        if name.endswith(alike) and "_group" not in name and "rule" not in name and "person" not in name:
            continue  # the same template as others
        pages[name] = address(name, found)
    return {name: where for name, where in pages.items() if only in name}


def _something_on_every_page(installation: SingleProcess) -> Any:
    """What the sample does not have: leavers who wait for an approver, other staff, sources and rules."""
    from django.utils import timezone  # noqa: PLC0415

    from cakewalk.models import User  # noqa: PLC0415
    from directory.models import Conflict, Person, Source  # noqa: PLC0415
    from integrations.models import Integration  # noqa: PLC0415
    from provisioning import requesting  # noqa: PLC0415
    from provisioning.models import ProvisioningJob  # noqa: PLC0415
    from tests.admin import builders  # noqa: PLC0415
    from tests.directory.builders import source  # noqa: PLC0415

    acme = Integration.objects.get()
    chief = User.objects.get(username="admin")
    User.objects.filter(pk=chief.pk).update(first_name="Olivia", last_name="Owner")
    builders.staff("ines", "Operator", first_name="Inês", last_name="Almeida")
    builders.staff("tariq", "Auditor", first_name="Tariq", last_name="Haddad")
    leavers = Person.objects.filter(email__in=[f"{name}@example.org" for name in LEAVERS])
    leavers.update(active=False)
    requesting.people_changed(list(leavers.values_list("pk", flat=True)))
    installation.settled()
    okta = source("okta", kind=Source.Kind.SCIM)
    okta.issue_token(now=timezone.now())
    ada = Person.objects.get(email="ada.byron@example.org")
    Conflict.objects.note(okta, "ada.byron@example.org", ada, now=timezone.now())
    builders.ldap_server("corp")
    builders.mark(acme, "olivia.owner@example.org", made_by=chief, reason="She set it up.")
    builders.group_rule(acme, "platform", state="active")
    builders.alarm(acme, "unreachable", builders.channel("On call"))
    builders.evidence_pack(acme, by=chief)
    builders.exclusion(builders.review(acme, "Summer", by=chief, state="finished"), ada)
    builders.to_review(autumn := builders.review(acme, "Autumn", by=chief), chief, 8)
    installation.settled()
    rows = _Rows(
        {
            "a saved search": builders.saved_search(by=chief),
            "key link": builders.key_link(by=chief),
            "reviews_campaign": autumn,
            "an upload": builders.upload("email,name", "lin.wei@example.org,Lin Wei", asked_by=chief),
            "directory_person": ada,
            "auth_user": chief,
            "cakewalk_user": chief,
            "provisioning_provisioningjob": ProvisioningJob.objects.filter(
                state=ProvisioningJob.State.AWAITING_APPROVAL
            ).latest("pk"),
        }
    )
    return SimpleNamespace(acme=acme, rows=rows)


class _Rows(dict[str, Any]):
    """The newest of each model, unless another is named."""

    def __missing__(self, key: str) -> Any:
        from django.apps import apps  # noqa: PLC0415

        app, model = key.split("_")
        newest: Any = apps.get_model(app, model)._default_manager.order_by("-pk")[0]
        return newest


def _walk(installation: SingleProcess, pages: dict[str, str]) -> list[Shown]:
    from cakewalk.models import User  # noqa: PLC0415

    FOLDER.mkdir(exist_ok=True)
    shown = {name: Shown(name, re.sub(r"\W+", "_", name.removeprefix("admin:"))) for name in pages}
    chief = User.objects.get(username="admin")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=machine.chromium(), args=machine.CHROMIUM_FLAGS)
        for look in LOOKS:
            for user in (None, chief):
                mine = {name: where for name, where in pages.items() if (name in PUBLIC) == (user is None)}
                _look_at(mine, look, browser, installation.url, user, shown)
        browser.close()
    return list(shown.values())


def _look_at(
    pages: dict[str, str], look: Look, browser: Browser, url: str, user: Any, shown: dict[str, Shown]
) -> None:
    from tests.admin import axe  # noqa: PLC0415
    from tests.admin.live import signed_in  # noqa: PLC0415

    more = {"color_scheme": look.theme, "timezone_id": "Europe/Berlin"}
    with signed_in(browser, url, user, width=look.width, **more) as page:
        for name, where in pages.items():
            print(f"{look.name:6} {name}", flush=True)
            page.goto(where)
            page.wait_for_timeout(300)  # for the theme's scripts, and for what they move
            _picture(page, FOLDER / f"{shown[name].file}.{look.name}.webp")
            passed, shown[name].broken[look.name] = axe.look(page)
            shown[name].passed |= passed
            shown[name].title = page.title().partition(" | ")[0].strip() or name


def _picture(page: Page, file: Path) -> None:
    """Playwright knows no WebP, which is a quarter of a PNG; the browser does."""
    width = page.viewport_size["width"]
    height = min(TALLEST, page.evaluate("document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
    asked = {"format": "webp", "quality": QUALITY, "captureBeyondViewport": True, "clip": clip}
    session = page.context.new_cdp_session(page)
    file.write_bytes(base64.b64decode(session.send("Page.captureScreenshot", asked)["data"]))
    session.detach()


def _gallery(shown: list[Shown]) -> str:
    heads = " | ".join(look.name for look in LOOKS)
    lines = [
        "# Every page",
        "",
        "Made by `make screenshots` with the sample directory and the simulator.",
        "",
    ]
    lines += [f"| page | {heads} |", f"|---|{'---|' * len(LOOKS)}"]
    for page in shown:
        pictures = (f"![{page.title}, {look.name}]({page.file}.{look.name}.webp)" for look in LOOKS)
        lines.append(f"| {page.title} | {' | '.join(pictures)} |")
    return "\n".join(lines) + "\n"


def _report(shown: list[Shown]) -> str:
    heads = " | ".join(f"violations, {look.name}" for look in LOOKS)
    lines = [f"| page | rules passed | {heads} |", f"|---|---|{'---|' * len(LOOKS)}"]
    for page in shown:
        found = " | ".join(str(len(page.broken[look.name])) for look in LOOKS)
        lines.append(f"| {page.title} (`{page.file}`) | {len(page.passed)} | {found} |")
    broken = sum(len(lines) for page in shown for lines in page.broken.values())
    return f"{len(shown)} pages in {len(LOOKS)} looks: {broken} violations.\n\n" + "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
