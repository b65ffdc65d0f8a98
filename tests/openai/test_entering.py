"""What staff may enter: a wrong key or address is refused at once, with the reason."""

import pytest

from integrations.connectors.openai import entering
from integrations.connectors.openai.connector import OpenAIConnector
from tests.openai.builders import ADMIN_KEY

BODY = "x" * 40


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("", "Enter the API key."),
        ("   ", "Enter the API key."),
        ("sk-proj-" + BODY, "This is a project key, and it cannot manage members. That needs an Admin key"),
        (
            "sk-svcacct-" + BODY,
            "This is the key of a service account, and it cannot manage members. That needs an Admin key",
        ),
        ("sk-ant-" + BODY, "This does not look like an OpenAI key. Enter an Admin key (sk-admin-…)"),
        (f"export OPENAI_ADMIN_KEY={ADMIN_KEY}", "This is a whole line of settings. Enter only what stands"),
        (f'OPENAI_API_KEY = "{ADMIN_KEY}"', "This is a whole line of settings. Enter only what stands"),
        (f'-H "Authorization: Bearer {ADMIN_KEY}"', "Leave out the word “Bearer” and all before it"),
        ("sk-" + BODY, "This is a project key, and it cannot manage members. That needs an Admin key"),
        ("xoxb-" + BODY, "This does not look like an OpenAI key. Enter an Admin key (sk-admin-…)"),
        (f'"{ADMIN_KEY}"', "Leave out the quotation marks around the key."),
        (f"\N{LEFT SINGLE QUOTATION MARK}{ADMIN_KEY}", "Leave out the quotation marks around the key."),
        (f"Bearer {ADMIN_KEY}", "Leave out the word “Bearer” and all before it, and enter the key alone."),
        (
            f"authorization: bearer {ADMIN_KEY}",
            "Leave out the word “Bearer” and all before it, and enter the key alone.",
        ),
        (f"sk-admin- {BODY}", "A key has no spaces or line breaks in it"),
        (f"sk-admin-{BODY}\n", "A key has no spaces or line breaks in it"),
        ("sk-admin-…wxyz", "This is the shortened form in which OpenAI shows a key later."),
        ("sk-admin-...wxyz", "This is the shortened form in which OpenAI shows a key later."),
        (f"sk-admin-é{BODY}", "The key has characters in it that no key has"),
        (f"sk-admin-{BODY};", "The key has a character in it that no key has"),
        ("sk-admin-abc", "The key is too short"),
        ("sk-admin-" + "x" * 600, "The key is too long"),
    ],
)
def test_a_wrong_key_is_refused_with_its_own_sentence(secret, says):
    refusal = OpenAIConnector.refuse_secret(secret)
    assert refusal is not None
    assert refusal.startswith(says)
    assert refusal.endswith(".")
    assert BODY not in refusal


def test_a_project_key_is_told_who_makes_the_right_one():
    assert OpenAIConnector.refuse_secret("sk-proj-" + BODY) == (
        "This is a project key, and it cannot manage members. That needs an Admin key (sk-admin-…), which an "
        "organization owner makes at https://platform.openai.com/settings/organization/admin-keys."
    )


def test_an_admin_key_may_be_right():
    assert OpenAIConnector.refuse_secret(ADMIN_KEY) is None


def test_of_a_key_its_kind_and_last_four_characters_are_shown():
    assert OpenAIConnector.secret_hint(ADMIN_KEY) == "sk-admin-…wxyz"


@pytest.mark.parametrize(
    ("shown", "fits"),
    [
        ("sk-admin-...xyz", True),
        ("sk-admin...wxyz", True),
        ("sk-admin-xx****yz", True),
        ("sk-admin-…z", True),
        (ADMIN_KEY, True),
        ("sk-admin-...abc", False),
        ("sk-proj-...xyz", False),
        ("sk-admin-...", False),
        ("...xyz", False),
        ("...", False),
        ("", False),
    ],
)
def test_a_key_is_recognized_by_the_ends_that_openai_shows(shown, fits):
    assert entering.is_shown_as(ADMIN_KEY, shown) is fits


@pytest.mark.parametrize(
    "address",
    [
        "https://api.openai.com/v1",
        "https://api.openai.com/v1/",
        "HTTPS://API.OpenAI.com/v1",
        "https://eu.api.openai.com/v1",
        "http://127.0.0.1:8123/v1",
        "http://localhost:8123/v1",
        "http://[::1]:8123/v1",
        "https://127.8.9.10",
        "http://gateway.internal:8080/openai/v1",
    ],
)
def test_an_address_of_openai_or_of_our_own_may_be_called(settings, address):
    settings.CONNECTOR_ALLOWED_HOSTS = ["Gateway.internal"]
    assert OpenAIConnector.refuse_base_url(address) is None


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "The address must begin with https:// and name a host"),
        ("api.openai.com/v1", "The address must begin with https:// and name a host"),
        ("ftp://api.openai.com/v1", "The address must begin with https:// and name a host"),
        ("https:///v1", "The address must begin with https:// and name a host"),
        ("https://[::1/v1", "This is not an address."),
        ("https://api.openai.com:port/v1", "This is not an address."),
        ("http://api.openai.com/v1", "The address must begin with https://, so that nobody on the way"),
        ("https://api.openai.com.example.org/v1", "api.openai.com.example.org is not an OpenAI host"),
        ("https://xx.api.openai.com/v1", "xx.api.openai.com is not an OpenAI host"),
        ("https://openai.com/v1", "openai.com is not an OpenAI host"),
        ("https://127.0.0.1.example.org/v1", "127.0.0.1.example.org is not an OpenAI host"),
        ("https://me:pass@api.openai.com/v1", "Leave the user name and password out of the address."),
        ("https://api.openai.com@example.org/v1", "Leave the user name and password out of the address."),
        ("https://api.openai.com\\@example.org/v1", "Leave the user name and password out of the address."),
        ("https://api.openai.com/v1?x=1", "Leave out everything from the ? or # on in the address."),
        ("https://api.openai.com/v1#", "Leave out everything from the ? or # on in the address."),
        ("https://api.openai.com/v1 ", "The address has a character in it that does not belong there."),
        ("https://api.openai.com\\.example.org/v1", "The address has a character in it"),
        ("https://api.openai.com/v1\r\nHost: x", "The address has a character in it"),
    ],
)
def test_a_key_is_sent_nowhere_else(address, says):
    refusal = OpenAIConnector.refuse_base_url(address)
    assert refusal is not None
    assert refusal.startswith(says)
    assert refusal.endswith(".")
