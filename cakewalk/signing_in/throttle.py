"""How often somebody may fail to sign in: django-axes counts, for a name at an address, and for an address.

Nobody can be shut out from elsewhere: what is counted of a name at one address says nothing at another.
"""

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from axes.handlers.proxy import AxesProxyHandler
from axes.models import AccessAttempt
from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import salted_hmac

from cakewalk.tries import place

OF_A_NAME, OF_AN_ADDRESS = settings.AXES_FAILURE_LIMIT, 10 * settings.AXES_FAILURE_LIMIT
"""So many failures, within the time, shut out: one name from an address, or every name from there."""
MINUTES = int(settings.AXES_COOLOFF_TIME.total_seconds()) // 60


class Handler(AxesDatabaseHandler):  # type: ignore[misc]
    """Counts in the database, for all web processes together. What is typed is not kept there."""

    def get_failures(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """As many as there are of the name, or as those of the address weigh."""
        of_name, of_address = (_counted(rows) for rows in self.get_user_attempts(request, credentials))
        return max(of_name, of_address * OF_A_NAME // OF_AN_ADDRESS)

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: Any = None, **kwargs: Any
    ) -> None:
        """Who is shut out already is neither counted nor told: the time would have no end, nor the ledger."""
        from cakewalk.signing_in.recorded import tell_failure  # noqa: PLC0415 - there are no models before

        if request is None or request.axes_locked_out:
            return
        with transaction.atomic():
            super().user_login_failed(sender, credentials, request, **kwargs)
            of_name, _of_address = self.filter_user_attempts(request, credentials)
            of_name.update(get_data="", post_data="")
        tell_failure(credentials, request, minutes_shut_out=MINUTES if request.axes_locked_out else 0)

    def reset_user_attempts(self, request: HttpRequest, credentials: dict[str, Any] | None = None) -> int:
        """Who signs in has no failures any more; those of other names from there still count."""
        of_name, _of_address = self.filter_user_attempts(request, credentials)
        return int(of_name.delete()[0])


def _counted(rows: Any) -> int:
    return int(rows.aggregate(number=Sum("failures_since_start"))["number"] or 0)


def name_of(request: HttpRequest, credentials: dict[str, Any] | None) -> str:
    """What was typed as a name may be a password: what is kept of it tells nothing to whoever reads it."""
    return digest((credentials or {}).get("username"))


def digest(name: Any) -> str:
    return salted_hmac("cakewalk.signing_in.throttle", str(name or ""), algorithm="sha256").hexdigest()


def address_of(request: HttpRequest) -> str | None:
    """Of the sixth version the network's, whose addresses one host may have all of."""
    found = place(str(request.META.get("REMOTE_ADDR", ""))).partition("/")[0]
    return None if found == "unknown" else found


def is_shut_out(request: HttpRequest, username: str) -> bool:
    shut_out = not AxesProxyHandler.is_allowed(request, {"username": username})
    if shut_out:
        request.axes_locked_out = True  # type: ignore[attr-defined]  # axes' middleware then answers
    return shut_out


def refusal(request: HttpRequest, *_: Any) -> HttpResponse:
    """What is answered in place of the page."""
    answer = render(request, "cakewalk/signing_in/shut_out.html", {"minutes": MINUTES}, status=429)
    answer["Retry-After"] = str(MINUTES * 60)
    return answer


def unlock(username: str) -> int:
    """Forget their failures, wherever they tried. How many there were."""
    tried = AccessAttempt.objects.filter(username=digest(username))
    failures = _counted(tried)
    tried.delete()
    return failures


def forgive(request: HttpRequest, username: str) -> None:
    """Who has shown who they are without signing in anew has no failures any more either."""
    AxesProxyHandler.update_request(request)
    AxesProxyHandler.get_implementation().reset_user_attempts(request, {"username": username})
