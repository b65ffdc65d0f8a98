"""The public pages: for everybody, about nobody, in three forms of one source."""

import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin, urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.db import connection
from django.test import Client
from django.test.testcases import LiveServerThread
from django.test.utils import CaptureQueriesContext
from django.urls import clear_script_prefix, reverse, set_script_prefix
from playwright.sync_api import Browser

from cakewalk.documents import library
from integrations.connectors.openai.simulator import Simulator
from integrations.models import Integration
from tests.admin.builders import Company, staff
from tests.admin.live import LISTENER, complaints

GUIDE = "/docs/integration-guides/openai-platform"
PAGES = ["/docs/", *(f"/docs/{address}" for address in library.documents())]
SOURCES = ["/llms.txt", *(f"/docs/{address}.md" for address in library.documents())]
PICTURES = [f"/docs/{place}" for place in library.pictures()]
POLICY = {
    "default-src 'none'",
    "img-src 'self'",
    "style-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}


@pytest.fixture
def chief(db: None) -> Client:
    client = Client()
    client.force_login(staff("sam", is_superuser=True))
    return client


class Page(HTMLParser):
    """What is asked of a page here: its elements, where its links lead, what may be linked to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.fetched: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        self.tags.add(tag)
        self.attributes |= set(said)
        if tag in ("img", "link", "script"):
            self.fetched |= {said.get("src") or said.get("href") or ""}
        self.links |= {unescape(said[name] or "") for name in ("href", "src") if name in said}
        self.anchors |= {said["id"] or ""} if "id" in said else set()


def get(address: str) -> str:
    answer = Client().get(address)
    assert (address, answer.status_code) == (address, 200)
    return answer.content.decode()


@pytest.mark.parametrize("address", [*PAGES, *SOURCES, *PICTURES, f"{GUIDE}?ask=key", "/docs/nothing"])
def test_a_page_asks_the_database_for_nothing_and_may_do_nothing(address: str, db: None) -> None:
    with CaptureQueriesContext(connection) as asked:
        answer = Client().get(address)

    assert len(asked) == 0
    assert set(answer["Content-Security-Policy"].split("; ")) == POLICY
    assert "Cookie" not in answer.headers.get("Vary", "")
    assert not answer.cookies


@pytest.mark.parametrize("address", [*PAGES, f"{GUIDE}?ask=key", f"{GUIDE}?ask=zebra"])
def test_a_page_has_no_script_no_style_of_its_own_and_nothing_from_elsewhere(address: str) -> None:
    page = Page(get(address))

    assert page.tags & {"script", "style", "iframe", "object", "embed", "base"} == set()
    assert {name for name in page.attributes if name == "style" or name.startswith("on")} == set()
    assert {source for source in page.fetched if not source.startswith(("/static/", "/docs/"))} == set()


def test_every_link_leads_to_a_page_and_to_a_place_on_it() -> None:
    """In the pages and in their sources: those link to each other, too."""
    pages = {address: Page(get(address)) for address in PAGES}
    for address in library.documents():
        pages[f"/docs/{address}.md"] = Page("")
        for target in re.findall(r"(?<!`)\]\(([^)\s]+)\)", get(f"/docs/{address}.md")):
            pages[f"/docs/{address}.md"].links.add(target)

    lost = []
    for address, page in pages.items():
        for link in page.links:
            leads_to = urlsplit(urljoin(f"http://testserver{address}", link))
            if leads_to.netloc != "testserver" or leads_to.path.startswith(("/static/", "/admin/")):
                continue
            known = pages.get(leads_to.path.removesuffix(".md") if leads_to.fragment else leads_to.path)
            missing = leads_to.fragment and leads_to.fragment not in known.anchors | {"content"}
            if missing or (not known and leads_to.path not in {*SOURCES, *PICTURES}):
                lost.append((address, link))
    assert lost == []


def test_every_page_of_the_repository_has_an_address() -> None:
    docs = Path(library.DOCS)
    written = {path.relative_to(docs).with_suffix("").as_posix() for path in docs.rglob("*.md")}
    public = {address for address in library.documents() if not address.startswith("integration-guides/")}

    # The index is the page at /docs/ itself, and the pictures are for whoever reads the repository.
    assert written - public == {"index", "screenshots/README"}


def test_the_front_page_has_the_chapters_of_the_index() -> None:
    headings = re.findall(r"<h2.*?>(.+?)</h2>", get("/docs/"))

    assert headings == ["Setup guides", *library.chapters()]


@pytest.mark.parametrize("address", library.documents())
def test_the_source_is_served_as_it_is_written(address: str) -> None:
    answer = Client().get(f"/docs/{address}.md")

    assert answer["Content-Type"] == "text/markdown; charset=utf-8"
    source = library.documents()[address].source
    assert re.sub(r"\]\([^)]*\)", "]()", answer.content.decode()) == re.sub(r"\]\([^)]*\)", "]()", source)


def test_a_page_greets_in_the_readers_language_and_its_text_and_source_are_english() -> None:
    german = {"Accept-Language": "de"}
    page, source = Client().get(GUIDE, headers=german), Client().get(f"{GUIDE}.md", headers=german)

    assert (page["Content-Language"], source["Content-Language"]) == ("de", "en")
    assert page["Vary"] == "Accept-Language"
    assert '<html lang="de">' in page.content.decode()
    assert '<article class="text" lang="en">' in page.content.decode()
    assert source.content == Client().get(f"{GUIDE}.md").content


def test_the_drawings_of_a_source_are_pictures_at_whole_addresses() -> None:
    drawn = re.findall(r"!\[[^\]]{30,}\]\((.+)\)", get(f"{GUIDE}.md"))

    assert len(drawn) == 9
    for address in drawn:
        answer = Client().get(address)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/svg+xml")
        assert urlsplit(address).path.startswith(f"{GUIDE}/")


def test_the_three_forms_of_a_guide_say_the_same(chief: Client) -> None:
    connect = chief.get(reverse("integrations:connect", args=["openai"])).content.decode()
    guide = library.documents()["integration-guides/openai-platform"]
    page, source = get(GUIDE), get(f"{GUIDE}.md")

    titles = [section.title.partition(". ")[2] for section in guide.sections if section.title[0].isdigit()]
    for said in [
        *titles,
        "It must be an Admin key.",
        "The key is on your clipboard now. Keep it nowhere else.",
    ]:
        for form in (connect, page, source):
            assert said in unescape(form)
    for form in (connect, page):
        assert form.count('<span class="drawing"><svg') == 9
        assert form.count("stands-out") == 1
    assert f'href="{GUIDE}"' in connect


def test_the_list_for_assistants_has_the_form_that_they_expect() -> None:
    answer = Client().get("/llms.txt")
    lines = answer.content.decode().splitlines()

    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert lines[0] == "# Cakewalk"
    assert lines[2].startswith("> ")
    assert [line for line in lines if line.startswith("#")] == [
        "# Cakewalk",
        "## Guides",
        "## Docs",
        "## Optional",
    ]
    listed = re.findall(
        r"^- \[.+\]\(http://testserver(/docs/.+\.md)\): .+$", answer.content.decode(), re.MULTILINE
    )
    assert listed == SOURCES[1:]
    assert listed[0] == f"{GUIDE}.md"


@pytest.mark.parametrize(
    "address", [GUIDE, f"{GUIDE}.md", "/docs/", "/llms.txt", PICTURES[0], f"{GUIDE}?ask=key"]
)
def test_what_has_not_changed_is_not_sent_again(address: str) -> None:
    first = Client().get(address)
    head = Client().head(address)
    again = Client().get(address, headers={"If-None-Match": first["ETag"]})

    assert (head.status_code, head["ETag"], head.content) == (200, first["ETag"], b"")
    assert (again.status_code, again.content) == (304, b"")
    assert first["Cache-Control"] == "public, max-age=300"
    assert set(again["Content-Security-Policy"].split("; ")) == POLICY


@pytest.mark.parametrize("address", [GUIDE, "/docs/", "/llms.txt", f"{GUIDE}.md"])
@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_a_page_is_read_and_nothing_else(address: str, method: str) -> None:
    assert getattr(Client(), method)(address).status_code == 405


@pytest.mark.parametrize(
    "address",
    [
        "nothing",
        "nothing.md",
        "index",
        "conf.py",
        "home.png",  # in the folder, and linked by no page
        "decisions",
        "integration-guides",
        "integration-guides/openai",
        "integration-guides/openai-platform/guide.md",
        "../manage.py",
        "..%2fmanage.py",
        "%2e%2e/README.md",
        "integrations/../../.env",
        "/etc/passwd",
        "integrations.md.md",
        "SETTINGS",
        "settings\0",
        "%00",
        "\N{PILE OF POO}" * 300,
    ],
)
def test_a_name_that_is_not_on_the_list_is_no_page(address: str) -> None:
    answer = Client().get(f"/docs/{address}")

    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()
    assert 'href="/docs/"' in answer.content.decode()


def test_an_address_with_a_slash_too_many_leads_to_the_page() -> None:
    assert Client().get(f"{GUIDE}/").headers["Location"] == GUIDE
    assert Client().get("/docs").headers["Location"] == "/docs/"


def test_behind_a_prefix_every_address_has_it() -> None:
    set_script_prefix("/cakewalk/")
    try:
        page, source = get(GUIDE), get(f"{GUIDE}.md")
    finally:
        clear_script_prefix()

    assert [link for link in Page(page).links if link.startswith("/docs")] == []
    assert re.findall(r"\]\(/docs", source) == []
    assert f"](/cakewalk{GUIDE}/menu.svg)" in source


def test_nothing_of_the_installation_is_in_them(simulator: Simulator, chief: Client) -> None:
    """Signed in or not, they are the same, to the letter."""
    company = Company(secret=simulator.organization.admin_key, base_url=simulator.base_url)
    Integration.objects.filter(pk=company.acme.pk).update(name="Zanzibar Ltd")
    for address in [*PAGES, *SOURCES]:
        assert chief.get(address).content == Client().get(address).content
    everything = "".join(map(get, [*PAGES, *SOURCES]))
    for name in ("Zanzibar", company.secret, company.base_url):
        assert name not in everything


@pytest.fixture
def served() -> Iterator[str]:
    """As `live_server` does, but without a database: these pages need none."""
    server = LiveServerThread("localhost", StaticFilesHandler)
    server.start()
    server.is_ready.wait()
    yield f"http://{server.host}:{server.port}"
    server.terminate()


@pytest.mark.browser
def test_a_guide_shows_its_drawings_and_answers_in_both_schemes_and_at_every_width(
    chromium: Browser, served: str
) -> None:
    seen = {}
    schemes: list[tuple[Literal["light", "dark"], int]] = [("light", 1440), ("dark", 420)]
    for scheme, width in schemes:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, base_url=served
        )
        context.add_init_script(LISTENER)
        page = context.new_page()
        page.set_default_timeout(10_000)
        heard = complaints(page)

        page.goto(GUIDE)
        boxes = [drawing.bounding_box() for drawing in page.locator(".drawing svg").all()]
        seen[scheme] = page.locator(".drawing rect").first.evaluate("shape => getComputedStyle(shape).fill")
        assert [round(box["width"]) for box in boxes if not 280 <= box["width"] <= 420] == []
        assert len(boxes) == 9
        found = Axe().run(page).response["violations"]

        page.keyboard.press("Tab")
        page.keyboard.press("Enter")  # past the head, to the text
        assert page.url.endswith("#content")
        page.get_by_role("searchbox").fill("why is my project key refused?")
        page.keyboard.press("Enter")
        page.wait_for_url("**?ask=*")
        assert page.locator(".answers blockquote").first.inner_text().startswith("This is a project key")
        found += Axe().run(page).response["violations"]
        page.locator(".answers a").first.click()
        assert page.url.endswith(f"{GUIDE}#if-the-key-is-refused")

        page.goto("/docs/safety")
        found += Axe().run(page).response["violations"]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert (found, heard, page.evaluate("window.violations")) == ([], [], [])
        context.close()

    assert seen["light"] != seen["dark"]


def test_a_link_makes_nothing_public_that_is_not_below_docs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = tmp_path / "docs"
    (docs / "decisions").mkdir(parents=True)
    (tmp_path / "README.md").write_text("# Not public\n")
    (docs / "decisions" / "0001.md").write_text("# Why\n\nBecause.\n")
    (docs / "a.md").write_text(
        "# A\n\n[out](../README.md) [why](decisions/0001.md) [gone](b.md) ![plan](../x.png)\n"
    )
    monkeypatch.setattr(library, "DOCS", docs)
    library.documents.cache_clear()
    library.pictures.cache_clear()
    try:
        found = [address for address in library.documents() if not address.startswith("integration-guides/")]
        html = get("/docs/a")
    finally:
        library.documents.cache_clear()
        library.pictures.cache_clear()

    assert found == ["a", "decisions/0001"]
    assert "<a>out</a>" in html
    assert '<a href="/docs/decisions/0001">why</a>' in html
    assert "<a>gone</a> plan" in html
