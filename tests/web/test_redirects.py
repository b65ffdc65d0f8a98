"""No address of ours leads to another site because somebody wrote it so."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from django.test import Client

from tests.admin.builders import staff

ROOT = Path(__file__).parents[2]
HOSTILE = [
    "//evil.example",
    "///evil.example",
    "////evil.example/admin/",
    "https:evil.example",
    "https:/evil.example",
    "https://evil.example",
    "HTTP://evil.example",
    "http:///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "\t//evil.example",
    "/\t/evil.example",
    "\r\n//evil.example",
    " //evil.example",
    "\x00//evil.example",
    "\x0b//evil.example",
    "//evil.example@testserver",
    "https://testserver@evil.example",
    "https://testserver.evil.example",
    "https://evil.example#testserver",
    "https://evil.example\\@testserver",
    "//evil\u3002example",
    "javascript:alert(1)",
    "data:text/html,hello",
    "ftp://testserver/",
]


def leads_away(location: str) -> bool:
    """As browsers read it: white space and controls fall out, and \\ is /."""
    read = re.sub(r"[\x00-\x20]", "", location).replace("\\", "/")
    if re.match(r"//|[a-z][a-z0-9+.-]*:", read, re.IGNORECASE):
        return not re.match(r"http://testserver(/|$)", read)
    return False


def test_what_leads_away_is_told_apart() -> None:
    assert [address for address in HOSTILE if not leads_away(address)] == []
    assert not leads_away("/admin/")


@pytest.fixture
def ada(db: None) -> Client:
    """Signed in, with her password known."""
    user = staff("ada", is_superuser=True)
    user.set_password("correct horse battery")
    user.save()
    client = Client()
    client.force_login(user)
    return client


def locations(client: Client, address: str) -> Iterator[tuple[str, str]]:
    """Where each hostile address leads, given in the query and in the form, under every usual name."""
    names = ("next", "return_to", "redirect", "url", "_popup_next")
    for hostile in HOSTILE:
        given = dict.fromkeys(names, hostile)
        yield hostile, client.post(address, given, QUERY_STRING=urlencode(given)).get("Location", "")
    for hostile in HOSTILE[:3]:
        answer = client.get(address, dict.fromkeys(names, hostile), headers={"Referer": hostile})
        yield hostile, answer.get("Location", "")


@pytest.mark.parametrize(
    "address", ["/", "/admin/login/", "/admin/preferences/", "/admin/logout/", "/admin/nowhere"]
)
def test_no_page_leads_where_its_address_says(ada: Client, address: str) -> None:
    assert [found for found in locations(ada, address) if leads_away(found[1])] == []


def test_signing_in_leads_to_no_other_site(ada: Client) -> None:
    found = {}
    for hostile in HOSTILE:
        typed = {"username": "ada", "password": "correct horse battery", "next": hostile}
        answer = Client().post("/admin/login/", typed)
        assert answer.status_code == 302
        found[hostile] = answer["Location"]
    assert [hostile for hostile, location in found.items() if leads_away(location)] == []


def test_confirming_who_one_is_leads_to_no_other_site(ada: Client) -> None:
    found = {}
    for hostile in HOSTILE:
        to = f"/admin/confirm/?{urlencode({'next': hostile})}"
        answer = ada.post(to, {"password": "correct horse battery"})
        assert answer.status_code == 302
        found[hostile] = answer["Location"]
    assert [hostile for hostile, location in found.items() if leads_away(location)] == []


@pytest.mark.parametrize(
    "path",
    ["//evil.example/admin", "//evil.example/admin/login", "/%2F/evil.example/admin/", "/\\evil.example/"],
)
def test_a_path_that_looks_like_a_host_is_no_redirect_to_it(ada: Client, path: str) -> None:
    answer = ada.generic("GET", path)
    assert not leads_away(answer.get("Location", ""))


WHERE_THE_ADDRESS_IS_MADE = {
    "cakewalk/signing_in/entering.py: goes_to": "what Django's LoginView allows, which is of this host",
    "cakewalk/signing_in/entering.py: page": "a name of ours",
    "cakewalk/signing_in/oidc/views.py: asked['next']": "of this host, or else the home page",
    "cakewalk/signing_in/pages.py: back": "of this host, or else the home page",
    "cakewalk/signing_in/recently.py: page": "a name of ours, with where one came from as a parameter",
    "cakewalk/documents/pages.py: page_of(address.rstrip('/'))": "ours, of a document that is there",
    "directory/admin/people.py: request.get_full_path()": "the page itself, which was found by this path",
    "provisioning/reviews/admin/mine.py: request.get_full_path()": "the page itself",
    "integrations/admin/connect.py: _next_page(request, outcome, outcome.integration)": "one of two of ours",
    "provisioning/admin/actions.py: search.address_of(form.query())": "ours, with a query behind its ?",
    "provisioning/admin/ledger.py: address_of(form.query())": "ours, with a query behind its ?",
    "provisioning/admin/saved_searches.py: address(query)": "ours, with a query behind its ?",
    "provisioning/admin/saved_searches.py: back": "a name of ours, given by the caller",
}
"""Redirects to what is not one written name, and why none of them leads away."""


def test_redirects_to_what_is_no_name_of_ours_are_known() -> None:
    assert set(redirects()) == set(WHERE_THE_ADDRESS_IS_MADE)


CALLS = ("redirect", "HttpResponseRedirect", "HttpResponsePermanentRedirect")


def redirects() -> Iterator[str]:
    for app in ("cakewalk", "directory", "integrations", "provisioning"):
        for path in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in CALLS:
                    to = node.args[0] if node.args else ast.Constant("")
                    if not isinstance(to, ast.Constant):
                        yield f"{path.relative_to(ROOT)}: {ast.unparse(to)}"
