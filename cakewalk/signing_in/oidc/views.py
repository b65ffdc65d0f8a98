"""To the provider, and back: to sign in, to show again who one is, or to link a local user."""

import functools
import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import BACKEND_SESSION_KEY
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from mozilla_django_oidc.views import OIDCAuthenticationRequestView

from cakewalk.ledger.actors import Actor, Kind
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.signing_in import recently, throttle
from cakewalk.signing_in.entering import enter
from cakewalk.signing_in.oidc import accounts, provider
from cakewalk.signing_in.oidc.backend import CALLBACK, LEEWAY, OidcBackend
from cakewalk.signing_in.oidc.problems import NotSignedIn, Problem
from cakewalk.tries import count_try

log = logging.getLogger(__name__)

BACKEND = "cakewalk.signing_in.oidc.backend.OidcBackend"
BY = "single sign-on"
SIGN_IN, CONFIRM, LINK = "sign in", "confirm", "link"
STATES = "oidc_states"
"""Where the library keeps what was asked, by its state."""
LONGEST = 600
"""Seconds until an answer comes."""
TOLD, WHILE = 20, 15 * 60
"""So many failures from one address are written down in so many seconds, or anybody could fill the ledger."""

View = Callable[[HttpRequest], HttpResponse]


class Begin(OIDCAuthenticationRequestView):  # type: ignore[misc]
    purpose = SIGN_IN

    @staticmethod
    def get_settings(attr: str, *default: Any) -> Any:
        match attr:
            case "OIDC_OP_AUTHORIZATION_ENDPOINT":
                return provider.endpoints()["authorization_endpoint"]
            case "OIDC_RP_CLIENT_ID":
                return settings.OIDC_CLIENT_ID
            case "OIDC_AUTHENTICATION_CALLBACK_URL":
                return CALLBACK
            case "OIDC_RP_SCOPES":
                return settings.OIDC_SCOPES
            case "OIDC_USE_PKCE":
                return True
        return default[0]

    def get_extra_params(self, request: HttpRequest) -> dict[str, str]:
        return {"prompt": "login", "max_age": "0"} if self.purpose == CONFIRM else {}

    def get(self, request: HttpRequest) -> HttpResponse:
        """What it is for is kept with its state, so that two tabs do not get in each other's way."""
        answer: HttpResponse = super().get(request)
        state = parse_qs(urlsplit(answer["Location"]).query)["state"][0]
        back = request.GET.get("next", "")
        request.session[STATES][state] |= {
            "purpose": self.purpose,
            "next": back if recently.is_ours(back, request) else reverse("admin:index"),
        }
        request.session.modified = True
        return answer


def told(view: View) -> View:
    """Whatever goes wrong has a page, and an entry in the ledger; and without a provider there is nothing."""

    @never_cache
    @functools.wraps(view)
    def answered(request: HttpRequest) -> HttpResponse:
        if not settings.OIDC_ISSUER:
            raise Http404
        try:
            return view(request)
        except NotSignedIn as refusal:
            _write_down(request, refusal)
            status = 502 if refusal.problem in (Problem.UNREACHABLE, Problem.MISCONFIGURED) else 403
            said = {"says": refusal.problem.says, "name": settings.OIDC_NAME}
            return render(request, "cakewalk/signing_in/not_signed_in.html", said, status=status)

    return answered


def _write_down(request: HttpRequest, refusal: NotSignedIn) -> None:
    log.warning("Single sign-on failed: %s", refusal)
    address = request.META.get("REMOTE_ADDR", "")
    if count_try("single-sign-on", address, seconds=WHILE) > TOLD:
        return
    known = User.objects.filter(username=refusal.detail).first() if refusal.detail else None
    facts = {"by": BY, "why": refusal.problem.value, "detail": "" if known else refusal.detail}
    record(Verb.SIGN_IN_FAILED, known, facts=facts, by=Actor(Kind.PERSON, "", address))


@told
def begin(request: HttpRequest) -> HttpResponse:
    return _to_the_provider(request, SIGN_IN)


@told
def begin_to_confirm(request: HttpRequest) -> HttpResponse:
    return _to_the_provider(request, CONFIRM)


@told
@recently.proven
def begin_to_link(request: HttpRequest) -> HttpResponse:
    return _to_the_provider(request, LINK)


def _to_the_provider(request: HttpRequest, purpose: str) -> HttpResponse:
    answer: HttpResponse = Begin.as_view(purpose=purpose)(request)
    return answer


@told
@sensitive_variables()
def callback(request: HttpRequest) -> HttpResponse:
    asked = _asked(request)
    if error := request.GET.get("error"):
        raise NotSignedIn(Problem.DENIED, error if error.isidentifier() and len(error) < 60 else "")
    if request.GET.get("iss", settings.OIDC_ISSUER) != settings.OIDC_ISSUER:
        raise NotSignedIn(Problem.STATE, "of another issuer")
    backend = OidcBackend(_decide(request, asked))
    proof = {"nonce": asked["nonce"], "code_verifier": asked["code_verifier"]}
    user = backend.authenticate(request, **proof)
    if user is None:
        raise NotSignedIn(Problem.STATE, "without a code")
    return _go_on(request, user, asked)


def _asked(request: HttpRequest) -> dict[str, Any]:
    """What was asked in this browser, which can be answered once."""
    asked = request.session.get(STATES, {}).pop(request.GET.get("state", ""), None)
    request.session.modified = True
    if asked is None or "purpose" not in asked or time.time() - asked["added_on"] > LONGEST:
        raise NotSignedIn(Problem.STATE)
    return dict(asked)


def _decide(request: HttpRequest, asked: dict[str, Any]) -> Callable[[Any], User]:
    if asked["purpose"] == SIGN_IN:
        return accounts.sign_in
    if not isinstance(request.user, User):
        raise NotSignedIn(Problem.STATE, "nobody is signed in any more")
    if asked["purpose"] == LINK:
        return functools.partial(accounts.link, user=request.user)
    return functools.partial(accounts.confirm, user=request.user, asked_at=asked["added_on"], leeway=LEEWAY)


def _go_on(request: HttpRequest, user: User, asked: dict[str, Any]) -> HttpResponse:
    if asked["purpose"] == SIGN_IN:
        user.backend = BACKEND
        return enter(request, user, asked["next"], by=BY)
    if asked["purpose"] == CONFIRM:
        recently.prove(request)
        throttle.forgive(request, user.get_username())
        record(Verb.CONFIRMED, user, facts={"by": BY})
    else:
        messages.success(
            request, _("From now on you can sign in with %(name)s.") % {"name": settings.OIDC_NAME}
        )
    return redirect(asked["next"])


def end_session_address(request: HttpRequest) -> str:
    """Where one logs out at the provider too; empty where one came another way, or it has no such page."""
    if request.session.get(BACKEND_SESSION_KEY) != BACKEND:
        return ""
    try:
        where = provider.endpoints().get("end_session_endpoint")
    except NotSignedIn:
        return ""
    back = request.build_absolute_uri(reverse("admin:login"))
    asked = {"client_id": settings.OIDC_CLIENT_ID, "post_logout_redirect_uri": back}
    return f"{where}?{urlencode(asked)}" if where else ""
