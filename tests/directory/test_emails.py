"""Addresses compare without case, in NFC, with the domain in its IDNA form."""

import pytest

from directory.emails import email_domain, email_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.org", "ada@example.ORG"),
        (" ada@example.org ", "ada@example.org"),
        ("ana.nu\u0301n\u0303ez@example.org", "ana.núñez@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@bu\u0308cher.example", "ada@BÜCHER.example"),
        ("ada@\uff45xample.org", "ada@example.org"),
    ],
)
def test_two_spellings_of_one_address_have_one_key(one, other):
    assert email_key(one) == email_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.org", "ada@example.com"),
        ("ada+news@example.org", "ada@example.org"),
        ("a.da@example.org", "ada@example.org"),
        ("ada@-bad-.example", "ada@bad.example"),
        ("strauß@example.org", "strauss@example.org"),
        ("ada@straße.example", "ada@strasse.example"),
    ],
)
def test_two_addresses_keep_two_keys(one, other):
    assert email_key(one) != email_key(other)


def test_the_domain_is_compared_in_its_ascii_form():
    assert email_domain("Ada@BÜCHER.example") == "xn--bcher-kva.example"
