"""/scim/v2/: a client signs in with its source's token and reads and writes that source's people.

The outermost shell of `directory.scim`, and the only module of it that knows of jobs.
"""

import json
from datetime import datetime

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from scim2_models import PayloadTooLargeException, SCIMException, UnauthorizedException
from scim2_server.handler import ScimHandler
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse

from cakewalk.ledger.actors import Actor, Kind, acting
from cakewalk.ledger.recording import together
from directory.models import Conflict, Source
from directory.scim.protocol import Service
from directory.scim.schemas import LARGEST_BODY, PROVIDER
from directory.scim.session import Session
from directory.scim.storage import DirectoryStorage
from directory.scim.tries import WHILE, TooManyWrongTokens, note_wrong_token
from provisioning import requesting

SERVICE = Service(PROVIDER)
LARGEST_GROUP_BODY = 16 * LARGEST_BODY
"""A group may be sent with everybody in it."""

READING = ("GET", "HEAD", "OPTIONS")


@csrf_exempt  # a client sends its token with every request, and no cookie
def scim(request: HttpRequest, path: str | None = None) -> HttpResponse:
    now = timezone.now()
    try:
        source, by = _signed_in(request, now)
        asked = _asked(request, path or "/")
        with acting(Actor(Kind.SOURCE, by, request.META.get("REMOTE_ADDR", ""))):
            return _sent(_answer(asked, Session(source, now, by)))
    except TooManyWrongTokens as error:
        response = SERVICE.error_response(error)
        response.headers["Retry-After"] = str(WHILE)
        return _sent(response)
    except Exception as error:  # what is no SCIMException is a fault of ours, which the service logs
        return _sent(SERVICE.error_response(error))


def _signed_in(request: HttpRequest, now: datetime) -> tuple[Source, str]:
    """Whose client it is, and what it is called in the history of people."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    source = Source.objects.with_token(token.strip(), now=now) if scheme.lower() == "bearer" else None
    if source is None:
        note_wrong_token(request.META.get("REMOTE_ADDR", ""))
        raise UnauthorizedException(detail="Send the source's token as Authorization: Bearer TOKEN.")
    source.note_token_use(now=now)
    return source, f"SCIM client of {source}, with its {source.name_of(token.strip())}"


def _asked(request: HttpRequest, path: str) -> ScimRequest:
    largest = LARGEST_GROUP_BODY if path.lower().startswith("/groups") else LARGEST_BODY
    # Read by ourselves: Django's own limit answers in HTML, and is smaller than a large group.
    body = request.read(largest + 1)
    if len(body) > largest:
        raise PayloadTooLargeException(detail=f"The body is larger than {largest} bytes.")
    return ScimRequest(
        method="GET" if request.method == "HEAD" else request.method or "",
        base_url=request.build_absolute_uri("/scim/v2"),
        path=path,
        query=request.GET.dict(),
        headers=dict(request.headers),
        body=body,
    )


def _answer(asked: ScimRequest, session: Session) -> ScimResponse:
    """In one transaction, with what follows from it. A conflict is noted though its request is refused."""
    source, now = session.source, session.now
    with together():
        if asked.method not in READING:
            # The requests of one client follow one another, as if it had sent them so.
            Source.objects.select_for_update().get(pk=source.pk)
        try:
            response = ScimHandler(SERVICE, DirectoryStorage(session)).handle(asked)
        except SCIMException as error:
            response = SERVICE.error_response(error)
        for address, holder in session.conflicts:
            Conflict.objects.note(source, address, holder, now=now)
        requesting.people_changed(session.changed)
    return response


def _sent(response: ScimResponse) -> HttpResponse:
    sent = HttpResponse(
        b"" if response.body is None else json.dumps(response.body).encode(), status=response.status
    )
    for name, value in response.headers.items():
        sent[name] = value
    if response.body is None:
        del sent["Content-Type"]
    return sent
