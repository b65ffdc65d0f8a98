"""The admin site, with a way in of our own."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.utils.functional import SimpleLazyObject
from django.views.decorators.cache import never_cache

from cakewalk.theme import UnfoldAdminSite


class Site(UnfoldAdminSite):  # type: ignore[misc]
    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """Made when it is looked at: each page is given it, and the sidebar has a list of its own."""
        return SimpleLazyObject(lambda: super(Site, self).get_app_list(request, app_label))

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        from cakewalk.signing_in.entering import sign_in  # noqa: PLC0415 - that needs this site

        return sign_in(request)

    @method_decorator(never_cache)
    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Here at once. At the provider by a link: a policy of ours lets no form lead to another site."""
        from cakewalk.signing_in.oidc.views import end_session_address  # noqa: PLC0415 - as above

        there = {"end_session": end_session_address(request), "provider": settings.OIDC_NAME}
        answer: HttpResponse = super().logout(request, {**there, **(extra_context or {})})
        return answer
