"""The search itself: a canary that nobody hears sing proves nothing."""

import base64
import html
import json
import secrets
from urllib.parse import quote

import pytest

from tests.canary.searching import Canary, search

KEY = Canary("admin key", "sk-admin-" + secrets.token_urlsafe(48), public="sk-admin-")
PASSWORD = Canary("password", f'{secrets.token_hex(6)}&<"é+/%{secrets.token_hex(6)}')


def forms_found(canary: Canary, content: bytes) -> set[str]:
    return {found.form for found in search([canary], "somewhere", content)}


@pytest.mark.parametrize("shift", range(7))
def test_base64_is_found_wherever_in_a_longer_text_it_stands(shift: int):
    whole = b"x" * shift + KEY.text.encode() + b"and more"
    assert "base64" in forms_found(KEY, base64.b64encode(whole))
    assert "base64" in forms_found(KEY, base64.urlsafe_b64encode(whole))


IN_OTHER_FORMS = {
    "plain": PASSWORD.text,
    "URL": quote(PASSWORD.text, safe=""),
    "HTML": html.escape(PASSWORD.text),
    "JSON": json.dumps(PASSWORD.text),
    "hex": PASSWORD.text.encode().hex(),
    "HEX": PASSWORD.text.encode().hex().upper(),
    "backwards": PASSWORD.text[::-1],
}


@pytest.mark.parametrize("form", IN_OTHER_FORMS)
def test_each_form_is_found(form: str):
    content = f"before {IN_OTHER_FORMS[form]} after".encode()
    assert forms_found(PASSWORD, content) & {form, "plain"}


def test_any_twelve_characters_of_it_are_found():
    secret = KEY.text.removeprefix("sk-admin-")
    for start in range(len(secret) - 12):
        masked = f"sk-admin-****{secret[start : start + 12]}****"
        assert forms_found(KEY, masked.encode()) == {"plain"}, start


def test_what_may_be_shown_is_not_found():
    assert search([KEY], "a page", f"sk-admin-…{KEY.text[-4:]} and sk-admin-***".encode()) == []
    assert search([KEY], "a page", secrets.token_urlsafe(100_000).encode()) == []


def test_where_it_stands_is_told():
    [found] = search([KEY], "a log", f"Authorization: Bearer {KEY.text}".encode())
    assert (found.place, found.canary) == ("a log", "admin key")
    assert found.around.startswith("Authorization: Bearer")
    assert KEY.text not in repr(KEY)
