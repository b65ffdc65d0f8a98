"""The public page of a one-time link: whoever holds the key enters it there, without an account.

The address is the same for every link. What tells them apart comes behind the #, which a browser keeps to
itself; the page's script puts it into the form, and without script it is pasted there. So a link that is only
looked at, as mail scanners do, tells the server nothing and uses nothing up. There are no cookies: the token
is all that counts, and it is in nothing but the body of a POST.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from cakewalk.documents.guide import guide_of
from cakewalk.ledger.actors import Actor, Kind, acting
from cakewalk.ledger.recording import together
from cakewalk.ledger.verbs import Verb
from cakewalk.tries import count_try, tries_of_late
from integrations import in_words
from integrations.admin import telling
from integrations.admin.catalog import logo
from integrations.admin.connect import preview_first
from integrations.catalog import connector_class
from integrations.connecting import Entry, Outcome, store_tried, test_connection
from integrations.models import KeyLink

TRIES, WHILE = 20, 15 * 60
"""So many wrong tokens and wrong keys are looked at from one address in so many seconds."""


HOLDER = "holder of a one-time link"
"""Who acts there, in the ledger. Nobody who signs in is called so."""


class _Over(Exception):
    """The link was used or revoked while the key was tried."""


class _NotStored(Exception):
    """The key works, and something else is in the way."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        super().__init__()


@csrf_exempt
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters("secret", "link")
@sensitive_variables("token", "secret")
def key_page(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _answer(request, "open")
    token = request.POST.get("link", "").rpartition("#")[2].strip()
    link = KeyLink.objects.find(token, now=timezone.now()) if token else None
    if link is None:
        many = count_try("key-links", _address(request), seconds=WHILE) > TRIES
        return _answer(request, "many", status=429) if many else _over(request)
    with acting(Actor(Kind.PERSON, HOLDER, _address(request))):
        if "secret" in request.POST:
            return _enter(request, link, token, request.POST["secret"].strip())
        link.note_opened(now=timezone.now())
        return _form(request, link, token, None)


@sensitive_variables("token", "secret", "entry")
def _enter(request: HttpRequest, link: KeyLink, token: str, secret: str) -> HttpResponse:
    if tries_of_late("key-links", _address(request)) > TRIES:
        return _answer(request, "many", status=429)
    if not link.note_try(now=timezone.now()):
        return _over(request)
    of = link.integration if link.replaces else None
    entry = Entry(
        kind=link.kind,
        name=of.name if of else link.name,
        base_url=of.base_url if of else link.base_url,
        secret=secret or " ",  # or else the one that is stored would be tried
        integration=of,
        by=link.requested_by,
    )
    outcome = test_connection(entry)
    if outcome.works:
        try:
            _store(request, link, entry, outcome)
        except _Over:
            return _over(request)
        except _NotStored as hindered:
            outcome = hindered.outcome
        else:
            return _answer(request, "done")
    count_try("key-links", _address(request), seconds=WHILE)
    link.record(Verb.LINK_TRIED)
    return _form(request, link, token, outcome)


@sensitive_variables("entry")
def _store(request: HttpRequest, link: KeyLink, entry: Entry, tried: Outcome) -> None:
    """All or nothing, and the first of two browsers: the link is used up with what is stored."""
    now, by = timezone.now(), link.requested_by
    with together():
        if by is None or not link.claim(address=_address(request), now=now):
            raise _Over
        outcome = store_tried(entry, tried, now=now)
        if outcome.integration is None:
            raise _NotStored(outcome)
        KeyLink.objects.filter(pk=link.pk).update(integration=outcome.integration)
        link.integration = outcome.integration
        link.record(Verb.LINK_USED)
        preview_first(outcome.integration, by=by)


@sensitive_variables("token")
def _form(request: HttpRequest, link: KeyLink, token: str, outcome: Outcome | None) -> HttpResponse:
    """`outcome`: of a key that was refused. Only what its holder must know is told of the installation."""
    connector = connector_class(link.kind)
    by = link.requested_by
    shown: dict[str, Any] = {
        "card": connector.card,
        "logo": logo(connector),
        "guide": guide_of(connector),
        "recognized": in_words.recognized(connector),
        "link": link,
        "token": token,
        "by": (by.get_full_name() or by.get_username()) if by else "",
        "address": link.integration.base_url if link.replaces and link.integration else link.base_url,
        "outcome": outcome,
    }
    if outcome:
        shown |= {
            "problem": " ".join(_told(outcome)),
            "checks": [telling.row(check) for check in outcome.report.checks] if outcome.report else [],
        }
    return _answer(request, "form", shown)


def _told(outcome: Outcome) -> list[str]:
    """Whoever enters the key cannot mend the name, and is not told of other integrations."""
    if "name" in outcome.problems:
        return [_("Your key could not be stored through this link: ask for a new link.")]
    return list(outcome.problems.values())


def _over(request: HttpRequest) -> HttpResponse:
    """The same for a link that never was, was used, revoked, has expired or was tried too often."""
    return _answer(request, "over", status=404)


def _answer(
    request: HttpRequest, page: str, shown: dict[str, Any] | None = None, *, status: int = 200
) -> HttpResponse:
    answer = render(request, f"integrations/key_page/{page}.html", shown, status=status)
    answer["Referrer-Policy"] = "no-referrer"
    answer["X-Robots-Tag"] = "noindex, nofollow"
    return answer


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))[:45]
