"""/healthz: this process answers. /readyz: everything that it takes to work is there.

Answered before anything looks at a session or at the name by which we are called: probes have none, and often
know a machine by its number alone.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse

from cakewalk.health.readiness import readiness

GetResponse = Callable[[HttpRequest], HttpResponseBase]


def answer_probes(get_response: GetResponse) -> GetResponse:
    """A middleware."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        probe = PROBES.get(request.path_info)
        if not probe:
            return get_response(request)
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
    return JsonResponse({"ready": ready, "parts": parts}, status=200 if ready else 503)


PROBES: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/healthz": healthz, "/readyz": readyz}
