"""The way in: a password, then the code of a second factor where somebody has one, or must have."""

import time
from collections.abc import Callable
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth import login
from django.contrib.auth.signals import user_login_failed
from django.contrib.auth.views import LoginView
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from cakewalk.models import User
from cakewalk.signing_in import second_factor, throttle
from cakewalk.signing_in.models import authenticator_of
from cakewalk.theme import SignInForm, UnfoldAdminTextInputWidget

PENDING, PENDING_SECONDS = "asked_for_code", 300
"""Whose password was right, and has not typed a code yet."""
MUST_SET_UP = "must_set_up"
"""Of a session that may do nothing else before."""

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class SignIn(LoginView):
    """Signs in nobody yet who has a second factor."""

    template_name = "cakewalk/signing_in/sign_in.html"
    authentication_form = SignInForm
    next_page = "admin:index"

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        shown = {**admin.site.each_context(self.request), "title": _("Log in")}
        ways = {
            "passwords": settings.LOCAL_PASSWORDS,
            "provider": settings.OIDC_ISSUER and settings.OIDC_NAME,
        }
        goes_to = {"goes_to": self.get_success_url()}
        return {**shown, **ways, **goes_to, **super().get_context_data(**more)}

    def form_valid(self, form: Any) -> HttpResponse:
        user, goes_to = form.get_user(), self.get_success_url()
        if authenticator_of(user) is None:
            return enter(self.request, user, goes_to, by="password")
        self.request.session[PENDING] = {
            "user": user.pk,
            "backend": user.backend,
            "password": user.password[-8:],
            "at": int(time.time()),
            "next": goes_to,
        }
        self.request.session.cycle_key()
        return redirect("sign_in_code")


@never_cache
def sign_in(request: HttpRequest) -> HttpResponse:
    if request.method == "GET" and admin.site.has_permission(request):
        return redirect("admin:index")
    return SignIn.as_view()(request)  # type: ignore[return-value]


def enter(request: HttpRequest, user: User, goes_to: str, *, by: str) -> HttpResponse:
    """Begin their session. `by`: what they have shown."""
    request.signed_in_by = by  # type: ignore[attr-defined]  # for the ledger
    login(request, user)
    if by == "password" and settings.SECOND_FACTOR == "required":
        request.session[MUST_SET_UP] = True
    return redirect(goes_to)


class CodeForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("Code"),
        max_length=20,
        help_text=gettext_lazy("Six digits from your authenticator app, or one of your backup codes."),
        widget=UnfoldAdminTextInputWidget(
            {
                "autocomplete": "one-time-code",
                "autofocus": True,
                "spellcheck": "false",
                "autocapitalize": "off",
            }
        ),
    )

    def __init__(self, request: HttpRequest, user: User) -> None:
        super().__init__(request.POST if request.method == "POST" else None)
        self.request, self.user = request, user
        self.kind = ""

    def clean_code(self) -> str:
        typed: str = self.cleaned_data["code"]
        self.kind = check_code(self.request, self.user, typed)
        return typed


def check_code(request: HttpRequest, user: User, typed: str) -> str:
    """Which kind it was. A wrong one counts as a wrong password does. Raises ValidationError."""
    name = user.get_username()
    kind = None if throttle.is_shut_out(request, name) else second_factor.accept(user, typed)
    if kind is None:
        wrong = {"username": name, "wrong": "code"}
        user_login_failed.send(sender=__name__, credentials=wrong, request=request)
        raise ValidationError(_("This code is not right, or was used already. Wait for the next one."))
    return kind


@never_cache
@sensitive_post_parameters()
def code(request: HttpRequest) -> HttpResponse:
    """The second step."""
    if admin.site.has_permission(request):
        return redirect("admin:index")
    pending, user = _pending(request)
    if user is None:
        return redirect("admin:login")
    form = CodeForm(request, user)
    if request.method == "POST" and form.is_valid():
        del request.session[PENDING]
        user.backend = pending["backend"]
        return enter(request, user, pending["next"], by=f"password and {form.kind}")
    context = {**admin.site.each_context(request), "title": _("Second factor"), "form": form}
    return TemplateResponse(request, "cakewalk/signing_in/code.html", context)


def _pending(request: HttpRequest) -> tuple[dict[str, Any], Any]:
    """Not for long, and not past a new password."""
    found = request.session.get(PENDING, {})
    user = User.objects.filter(pk=found.get("user"), is_active=True).first()
    holds = user and time.time() - found["at"] < PENDING_SECONDS and user.password[-8:] == found["password"]
    return found, user if holds else None


def set_up_first(get_response: GetResponse) -> GetResponse:
    """A middleware: who must have a second factor and has none is led to set one up, and nowhere else."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith("/admin/") and request.session.get(MUST_SET_UP):
            page = reverse("second_factor")
            if request.path_info not in (page, reverse("admin:logout"), reverse("admin:jsi18n")):
                return redirect(page)
        return get_response(request)

    return answer
