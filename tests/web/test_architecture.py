"""What could let somebody's text be run is in few places, each of which is known."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.test_safety_page import names_of_tests

ROOT = Path(__file__).parents[2]
APPS = ("cakewalk", "directory", "integrations", "provisioning")


def sources(ending: str) -> Iterator[tuple[str, str]]:
    for app in APPS:
        for path in (ROOT / app).rglob(f"*.{ending}"):
            yield str(path.relative_to(ROOT)), path.read_text()


def test_every_test_that_the_page_about_web_security_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/web-security.md").read_text()))
    assert len(named) > 30
    assert named - names_of_tests() == set()


def where(pattern: str, *endings: str) -> set[str]:
    return {path for ending in endings for path, text in sources(ending) if re.search(pattern, text)}


def test_text_is_marked_as_safe_in_known_places_alone() -> None:
    assert where(r"mark_safe\(|SafeString\([^)]", "py") == {
        "cakewalk/documents/addresses.py",  # Markdown of our own files, with HTML off
        "cakewalk/signing_in/second_factor.py",  # a drawing that a library makes of a secret
        "provisioning/admin/search.py",  # <br> between lines that are escaped
        "provisioning/because.py",  # parts that are escaped each
    }
    assert where(r"\|\s*safe\b|\|\s*safeseq\b|autoescape\s+off", "html", "txt", "md") == {
        "provisioning/evidence/templates/evidence/README.md",  # a text, which no browser is given as a page
    }


def test_no_template_has_a_script_or_a_style_of_its_own() -> None:
    """The policy would keep a browser from running it."""
    inline = (
        r"<script(?![^>]*\bsrc=)(?![^>]*application/json)|\sstyle=\"|\son(click|load|submit|change|error)="
    )
    pages = where(inline, "html")
    # files of an evidence pack are no pages of ours: they are read where no server is
    assert {page for page in pages if "/evidence/" not in page} == set()


def test_sql_is_written_by_hand_in_known_places_alone() -> None:
    by_hand = where(r"\.raw\(|\.cursor\(|RawSQL\(|\.extra\(", "py")
    assert {path for path in by_hand if "/migrations/" not in path} == {
        "cakewalk/health/models.py",  # counts are added to rows that are there, in one statement
        "cakewalk/health/readiness.py",
        "cakewalk/ledger/guards.py",
        "directory/bulk.py",
        "provisioning/moments.py",
    }


def test_nothing_is_evaluated_unpickled_or_given_to_a_shell() -> None:
    forbidden = {
        "eval",
        "exec",
        "pickle.loads",
        "pickle.load",
        "marshal.loads",
        "yaml.load",
        "os.system",
        "os.popen",
    }
    found = set()
    for path, text in sources("py"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call):
                if ast.unparse(node.func) in forbidden:
                    found.add(f"{path}: {ast.unparse(node.func)}")
                if any(word.arg == "shell" for word in node.keywords):
                    found.add(f"{path}: shell")
    assert found == set()


def test_forwarded_addresses_are_read_in_one_place() -> None:
    assert where(r"X_FORWARDED|X-Forwarded-(For|Host|Port)", "py") == {"cakewalk/proxies.py"}
    assert where(r"USE_X_FORWARDED_(HOST|PORT)", "py") == set()


def test_what_needs_no_form_token_is_known() -> None:
    assert where(r"csrf_exempt", "py") == {
        "cakewalk/urls.py",  # SCIM, by a token; and the page of one-time links
        "directory/scim/view.py",
        "integrations/admin/key_page.py",
    }
