"""From the provider's code to a user: mozilla-django-oidc's steps, with stricter ones in place of three.

That library does not look at a token's audience and issuer, follows redirects with the client's secret at
hand, and finds users by their e-mail. Here one is found by issuer and subject, which nobody else is given.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jwt
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from cakewalk.models import User
from cakewalk.signing_in.oidc import provider
from cakewalk.signing_in.oidc.problems import NotSignedIn, Problem

CALLBACK = "oidc_callback"
LEEWAY = 60
"""So many seconds clocks may differ."""
NEEDED = ["iss", "sub", "aud", "exp", "iat"]

Claims = Mapping[str, Any]
Decide = Callable[[Claims], User]


class OidcBackend(OIDCAuthenticationBackend):  # type: ignore[misc]
    def __init__(self, decide: Decide | None = None) -> None:
        """Not the library's, which wants the endpoints: Django makes a backend with every request.

        `decide`: whose claims these are.
        """
        self.OIDC_RP_CLIENT_ID = settings.OIDC_CLIENT_ID
        self.OIDC_RP_CLIENT_SECRET = settings.OIDC_CLIENT_SECRET
        self.UserModel = User
        self.decide = decide

    @staticmethod
    def get_settings(attr: str, *default: Any) -> Any:
        return {"OIDC_AUTHENTICATION_CALLBACK_URL": CALLBACK}.get(attr, *default)

    def authenticate(self, request: HttpRequest, **kwargs: Any) -> User | None:
        """Nothing for Django, which asks every backend about passwords; see views.py for who does ask."""
        return super().authenticate(request, **kwargs) if self.decide else None

    def get_user(self, user_id: Any) -> User | None:
        """The library's lets inactive ones stay."""
        return ModelBackend().get_user(user_id) if settings.OIDC_ISSUER else None

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        found = provider.tokens(payload)
        if not all(isinstance(found.get(name), str) for name in ("id_token", "access_token")):
            raise NotSignedIn(Problem.TOKEN, "it gave none")
        return found

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        try:
            claims = jwt.decode(
                token,
                provider.signing_key(token),
                algorithms=[settings.OIDC_SIGNING_ALGORITHM],
                audience=settings.OIDC_CLIENT_ID,
                issuer=settings.OIDC_ISSUER,
                leeway=LEEWAY,
                options={"require": NEEDED},
            )
        except jwt.ExpiredSignatureError as error:
            raise NotSignedIn(Problem.EXPIRED) from error
        except jwt.InvalidAudienceError as error:
            raise NotSignedIn(Problem.AUDIENCE) from error
        except jwt.InvalidSignatureError as error:
            raise NotSignedIn(Problem.SIGNATURE) from error
        except jwt.InvalidTokenError as error:
            raise NotSignedIn(Problem.TOKEN, type(error).__name__) from error
        if claims.get("azp", settings.OIDC_CLIENT_ID) != settings.OIDC_CLIENT_ID:
            raise NotSignedIn(Problem.AUDIENCE)
        if not constant_time_compare(str(claims.get("nonce")), str(kwargs.get("nonce"))):
            raise NotSignedIn(Problem.TOKEN, "its nonce is another one")
        return dict(claims)

    def store_tokens(self, access_token: str, id_token: str) -> None:
        """Nowhere: what they say has been read."""

    def get_or_create_user(self, access_token: str, id_token: str, payload: Claims) -> User:
        said = provider.said_of(access_token)
        if said and said.get("sub") != payload["sub"]:
            raise NotSignedIn(Problem.SOMEBODY_ELSE, "in its answer about the user")
        if self.decide is None:
            raise NotSignedIn(Problem.STATE)
        return self.decide({**said, **payload})
