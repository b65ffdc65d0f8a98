from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from django.utils import translation
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView

from cakewalk.documents.pages import llms_txt
from cakewalk.preferences import preferences
from cakewalk.signing_in.entering import code
from cakewalk.signing_in.oidc.views import begin, begin_to_confirm, begin_to_link, callback
from cakewalk.signing_in.pages import confirm, my_second_factor, sign_out_elsewhere


@csrf_exempt  # says the view too, which is not there yet
def scim(request: HttpRequest, path: str | None = None) -> HttpResponse:
    """Imported with the first request, as it takes a third of a command's time and only clients need it."""
    with translation.override("en"):  # protocol, whatever a client says it accepts
        answer: HttpResponse = import_string("directory.scim.view.scim")(request, path)
    answer.headers["Content-Language"] = "en"
    return answer


@csrf_exempt  # there is no session that could be ridden: what counts is the token of a one-time link
def key(request: HttpRequest) -> HttpResponse:
    answer: HttpResponse = import_string("integrations.admin.key_page.key_page")(request)
    return answer


admin.autodiscover()

handler500 = "cakewalk.logs.requests.server_error"

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/preferences/", admin.site.admin_view(preferences), name="preferences"),
    path("admin/sign-out-elsewhere/", admin.site.admin_view(sign_out_elsewhere), name="sign_out_elsewhere"),
    path("admin/sign-in-code/", code, name="sign_in_code"),
    path("admin/second-factor/", admin.site.admin_view(my_second_factor), name="second_factor"),
    path("oidc/begin/", begin, name="oidc_begin"),
    path("oidc/callback/", callback, name="oidc_callback"),
    path("admin/oidc/confirm/", admin.site.admin_view(begin_to_confirm), name="oidc_confirm"),
    path("admin/oidc/link/", admin.site.admin_view(begin_to_link), name="oidc_link"),
    path("admin/confirm/", admin.site.admin_view(confirm), name="confirm"),
    path("admin/integrations/", include("integrations.admin.urls")),
    path("admin/my-reviews/", include("provisioning.reviews.admin.urls")),
    path("admin/", admin.site.urls),
    path("key/", key, name="key"),
    path("jobs/", include("provisioning.admin.urls")),
    path("alarms/", include("provisioning.admin.alarms.urls")),
    path("docs/", include("cakewalk.documents.urls")),
    path("llms.txt", llms_txt, name="llms_txt"),
    re_path(r"^scim/v2(?P<path>/.*)?$", scim),
]
