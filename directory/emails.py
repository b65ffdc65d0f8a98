"""One e-mail address in the form in which addresses are compared. Pure."""

import contextlib
import unicodedata

import idna


def email_key(address: str) -> str:
    """The address without case, in Unicode NFC, its domain in IDNA form (RFC 5891, UTS 46).

    A domain that IDNA refuses is compared as it is written: two spellings then stay two addresses,
    which can leave a person unmatched but never gives one person another's account.
    """
    if address.isascii():
        # Already in both forms, and what nearly every address is. The same text is kept once.
        key = address.strip().lower()
        return address if key == address else key
    # Not casefold(), which makes one address of strauß@ and strauss@.
    local, _, domain = unicodedata.normalize("NFC", address.strip()).lower().rpartition("@")
    with contextlib.suppress(idna.IDNAError):
        domain = idna.encode(domain, uts46=True).decode("ascii")
    return f"{unicodedata.normalize('NFC', local)}@{domain}"


def email_domain(address: str) -> str:
    return email_key(address).rpartition("@")[2]
