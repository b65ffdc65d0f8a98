"""Speaks to the provider, and to nobody else: its endpoints, its keys, tokens and what it says of people.

Its host is one by configuration. TLS is verified, redirects are not followed, and none is waited for long.
"""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt
import requests
from django.conf import settings
from django.core.cache import cache

from cakewalk.signing_in.oidc.problems import NotSignedIn, Problem

log = logging.getLogger(__name__)

TIMEOUT = (3.05, 10)
"""Seconds to connect, and to wait for each part of an answer."""
KEPT_FOR = 3600
LARGEST = 1_000_000
NEEDED = ("authorization_endpoint", "token_endpoint", "jwks_uri")


def endpoints() -> dict[str, Any]:
    """What discovery tells, believed for an hour. Raises NotSignedIn."""
    issuer: str = settings.OIDC_ISSUER
    known = cache.get(f"oidc:{issuer}")
    if known is None:
        known = _ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        _judge(known, issuer)
        cache.set(f"oidc:{issuer}", known, KEPT_FOR)
    return dict(known)


def _judge(found: Mapping[str, Any], issuer: str) -> None:
    if found.get("issuer") != issuer:
        raise NotSignedIn(Problem.MISCONFIGURED, f"it calls itself {str(found.get('issuer'))[:200]!r}")
    for name in NEEDED:
        if not isinstance(found.get(name), str):
            raise NotSignedIn(Problem.MISCONFIGURED, f"it names no {name}")
    for name in (*NEEDED, "userinfo_endpoint", "end_session_endpoint"):
        if name in found and urlsplit(str(found[name])).scheme not in ("https", urlsplit(issuer).scheme):
            raise NotSignedIn(Problem.MISCONFIGURED, f"its {name} is not behind TLS")


def tokens(asked: Mapping[str, Any]) -> dict[str, Any]:
    """In exchange for a code."""
    return _ask("POST", endpoints()["token_endpoint"], data=dict(asked))


def said_of(access_token: str) -> dict[str, Any]:
    """What it says of whoever that token was given for; nothing where it has no such endpoint."""
    where = endpoints().get("userinfo_endpoint")
    return _ask("GET", where, headers={"Authorization": f"Bearer {access_token}"}) if where else {}


def signing_key(token: str) -> jwt.PyJWK:
    """The one that a token names. Keys change: one that is not known is looked for once more."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError as error:
        raise NotSignedIn(Problem.TOKEN, type(error).__name__) from error
    for keys in (_keys(), _keys(anew=True)):
        fitting = [key for key in keys if _fits(key, header)]
        if len(fitting) == 1:
            return jwt.PyJWK(fitting[0], algorithm=settings.OIDC_SIGNING_ALGORITHM)
    raise NotSignedIn(Problem.SIGNATURE, "no key of the provider fits")


def _fits(key: Mapping[str, Any], header: Mapping[str, Any]) -> bool:
    kind = {"RS256": "RSA", "ES256": "EC"}[settings.OIDC_SIGNING_ALGORITHM]
    named = header.get("kid")
    return (
        key.get("kty") == kind
        and key.get("use", "sig") == "sig"
        and (named is None or key.get("kid") == named)
    )


def _keys(*, anew: bool = False) -> list[dict[str, Any]]:
    where = endpoints()["jwks_uri"]
    known = None if anew else cache.get(f"oidc:keys:{where}")
    if known is None:
        known = _ask("GET", where).get("keys")
        if not isinstance(known, list):
            raise NotSignedIn(Problem.MISCONFIGURED, "it publishes no keys")
        cache.set(f"oidc:keys:{where}", known, KEPT_FOR)
    return [key for key in known if isinstance(key, dict)]


def _ask(method: str, url: str, **sent: Any) -> dict[str, Any]:
    try:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, url, timeout=TIMEOUT, allow_redirects=False, **sent)
            content = answer.content
    except requests.RequestException as error:
        log.warning(
            "The OIDC provider cannot be reached at %s: %s", urlsplit(url).netloc, type(error).__name__
        )
        raise NotSignedIn(Problem.UNREACHABLE, type(error).__name__) from None
    if answer.status_code >= 500:
        raise NotSignedIn(Problem.UNREACHABLE, f"it answered {answer.status_code}")
    if answer.status_code != 200 or len(content) > LARGEST:
        log.warning("The OIDC provider answered %s at %s", answer.status_code, urlsplit(url).path)
        raise NotSignedIn(Problem.MISCONFIGURED, f"it answered {answer.status_code}")
    try:
        found = answer.json()
    except ValueError:
        raise NotSignedIn(Problem.MISCONFIGURED, "it answered something else than JSON") from None
    if not isinstance(found, dict):
        raise NotSignedIn(Problem.MISCONFIGURED, "it answered something else than an object")
    return found
