"""/healthz: this process answers. /readyz: all that it takes to work is there. /metrics: figures.

Answered before anything looks at a session or at the name by which we are called: probes have none, and often
know a machine by its number alone.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.crypto import constant_time_compare

from cakewalk.health import counting
from cakewalk.health.readiness import readiness
from cakewalk.proxies import is_one

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def answer_probes(get_response: GetResponse) -> GetResponse:
    """A middleware."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        if not probe:
            response = get_response(request)
            counting.add_up()
            return response
        if request.method not in ("GET", "HEAD"):
            return HttpResponse(status=405, headers={"Allow": "GET, HEAD"})
        response = probe(request)
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> HttpResponse:
    states = readiness()
    ready = all(state.ok for state in states.values())
    parts = {name: state.as_json() for name, state in states.items()}
    answer = JsonResponse({"ready": ready, "parts": parts}, status=200 if ready else 503)
    # Django would log each as an error of ours.
    answer._has_been_logged = True  # type: ignore[attr-defined]
    return answer


def metrics(request: HttpRequest) -> HttpResponse:
    """For whoever has the token, or comes from where METRICS_ALLOWED says. To all others it is not there."""
    if not _may_scrape(request):
        return HttpResponse("There is no such page.", content_type="text/plain", status=404)
    from cakewalk.health.metrics import CONTENT_TYPE, exposition  # noqa: PLC0415 - with the first scrape

    return HttpResponse(exposition(), content_type=CONTENT_TYPE)


def _may_scrape(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if settings.METRICS_TOKEN and scheme.lower() == "bearer":
        return constant_time_compare(token.strip(), settings.METRICS_TOKEN)
    return bool(settings.METRICS_ALLOWED) and is_one(
        request.META.get("REMOTE_ADDR", ""), settings.METRICS_ALLOWED
    )


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}
