"""A real OpenID Connect provider on this machine, and somebody who signs in there."""

import json
import re
import socket
import subprocess
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from django.test import Client
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

FOLDER = Path(__file__).parent / "provider"
CLIENT, SECRET = "cakewalk", "only between these two, in a test"
BEGIN, CALLBACK = "/oidc/begin/", "/oidc/callback/"


def missing_provider() -> str | None:
    if not (FOLDER / "node_modules" / "oidc-provider").is_dir():
        return "oidc-provider is not installed (npm ci in tests/signing_in/provider)"
    return None


def person(username: str = "olga", *groups: str, **more: Any) -> dict[str, Any]:
    """What the provider says of them."""
    return {
        "preferred_username": username,
        "email": f"{username}@example.org",
        "email_verified": True,
        "groups": list(groups),
        **more,
    }


class Provider:
    """The provider's process. `keys`: what it signs with, which a forger does not have."""

    def __init__(self, *sites: str, algorithm: str = "RS256") -> None:
        self.algorithm = algorithm
        self.key = new_key(algorithm)
        self.port = _free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self._client = {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "redirect_uris": [f"{site}{CALLBACK}" for site in sites],
            "post_logout_redirect_uris": [f"{site}/admin/login/" for site in sites],
            "token_endpoint_auth_method": "client_secret_post",
            "id_token_signed_response_alg": algorithm,
        }

    def start(self) -> "Provider":
        given = {
            "port": self.port,
            "people": {},
            "clients": [self._client],
            "keys": [public_and_private(self.key)],
        }
        self._process = subprocess.Popen(
            ["node", str(FOLDER / "provider.js")],  # noqa: S607 - of the system
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(given))
        self._process.stdin.close()
        assert json.loads(self._process.stdout.readline())["issuer"] == self.issuer
        return self

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def knows(self, **people: Mapping[str, Any]) -> None:
        """By subject. These and nobody else."""
        requests.post(f"{self.issuer}/people", json=people, timeout=10).raise_for_status()

    def settings(self) -> dict[str, Any]:
        return {
            "OIDC_ISSUER": self.issuer,
            "OIDC_CLIENT_ID": CLIENT,
            "OIDC_CLIENT_SECRET": SECRET,
            "OIDC_NAME": "Corp Login",
            "OIDC_SCOPES": "openid email profile groups",
            "OIDC_SIGNING_ALGORITHM": self.algorithm,
            "OIDC_ROLES": {"cakewalk-operators": "Operator", "cakewalk-auditors": "Auditor"},
        }


def new_key(algorithm: str = "RS256") -> Any:
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_and_private(key: Any) -> dict[str, Any]:
    is_rsa = isinstance(key, rsa.RSAPrivateKey)
    written = json.loads((RSAAlgorithm if is_rsa else ECAlgorithm).to_jwk(key))
    return {**written, "kid": "of the provider", "use": "sig", "alg": "RS256" if is_rsa else "ES256"}


def signed_anew(token: str, key: Any, algorithm: str = "RS256", **claims: Any) -> str:
    """The token with other claims, or by another key."""
    said = jwt.decode(token, options={"verify_signature": False})
    header = jwt.get_unverified_header(token)
    return jwt.encode({**said, **claims}, key, algorithm=algorithm, headers={"kid": header["kid"]})


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class AtTheProvider:
    """A browser's part there, by forms: it keeps the provider's cookies as one."""

    def __init__(self, subject: str) -> None:
        self.subject, self.session = subject, requests.Session()

    def answer(self, address: str, *, cancel: bool = False) -> str:
        """Through its pages, until it leads back; the address to which it does."""
        answer = self.session.get(address, allow_redirects=False, timeout=10)
        for _page in range(12):
            if answer.is_redirect:
                led_to = urljoin(answer.url, answer.headers["Location"])
                if CALLBACK in led_to and not led_to.startswith(address.partition("/auth")[0]):
                    return led_to
                answer = self.session.get(led_to, allow_redirects=False, timeout=10)
            elif cancel:
                abort = re.search(r'href="([^"]+/abort)"', answer.text)
                assert abort, answer.text
                answer = self.session.get(unescape(abort[1]), allow_redirects=False, timeout=10)
            else:
                answer = self._send_form(answer)
        raise AssertionError(f"It leads nowhere: {answer.url}")

    def _send_form(self, answer: requests.Response) -> requests.Response:
        action = re.search(r'action="([^"]+)"', answer.text)
        assert action, answer.text[:500]
        typed = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w*)"', answer.text))
        if typed.get("prompt") == "login":
            typed |= {"login": self.subject, "password": "any"}
        return self.session.post(unescape(action[1]), typed, allow_redirects=False, timeout=10)


def led_back(client: Client, subject: str, begin: str = BEGIN, *, cancel: bool = False) -> str:
    """The path of the callback, with what the provider answers."""
    asked = client.get(begin)["Location"]
    back = AtTheProvider(subject).answer(asked, cancel=cancel)
    return back.removeprefix("http://testserver")


def sign_in(client: Client, subject: str = "olga", begin: str = BEGIN) -> Any:
    return client.get(led_back(client, subject, begin))
