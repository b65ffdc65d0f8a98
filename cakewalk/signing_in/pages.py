"""Pages of those who are signed in: asking again who they are, their second factor, their other sessions."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import authenticate
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.signing_in import recently, second_factor, sessions, throttle
from cakewalk.signing_in.entering import MUST_SET_UP, CodeForm, check_code
from cakewalk.signing_in.models import authenticator_of
from cakewalk.site import signed_in
from cakewalk.theme import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget


class ConfirmForm(CodeForm):
    """The password, and a code of those who have a second factor."""

    password = forms.CharField(
        label=gettext_lazy("Password"),
        widget=UnfoldAdminPasswordWidget({"autocomplete": "current-password", "autofocus": True}),
    )
    field_order = ("password", "code")

    def __init__(self, request: HttpRequest, user: User) -> None:
        super().__init__(request, user)
        if authenticator_of(user) is None:
            del self.fields["code"]

    def clean_code(self) -> str:
        """A code is used up only where the password was right."""
        return str(self.cleaned_data["code"])

    def clean(self) -> dict[str, Any]:
        """Tried as a sign-in is, and counted as one."""
        typed = self.cleaned_data
        if self.errors:
            return typed
        found = authenticate(self.request, username=self.user.get_username(), password=typed["password"])
        if found != self.user:
            raise ValidationError({"password": _("This is not your password.")})
        if "code" in self.fields:
            try:
                check_code(self.request, self.user, typed["code"])
            except ValidationError as wrong:
                raise ValidationError({"code": wrong}) from wrong
        return typed


@never_cache
@sensitive_post_parameters()
def confirm(request: HttpRequest) -> HttpResponse:
    """Where what matters most leads first, if it is a while ago that somebody signed in."""
    user = signed_in(request)
    back = request.GET.get("next", "")
    back = back if recently.is_ours(back, request) else reverse("admin:index")
    form = ConfirmForm(request, user)
    if request.method == "POST" and form.is_valid():
        recently.prove(request)
        throttle.forgive(request, user.get_username())
        record(Verb.CONFIRMED, user)
        return redirect(back)
    context = {
        **admin.site.each_context(request),
        "title": _("Show that it is you"),
        "form": form if user.has_usable_password() and settings.LOCAL_PASSWORDS else None,
        "provider": settings.OIDC_NAME if settings.OIDC_ISSUER and user.identities.exists() else "",
        "back": back,
        "late": "late" in request.GET,
    }
    return TemplateResponse(request, "cakewalk/signing_in/confirm.html", context)


@require_POST
def sign_out_elsewhere(request: HttpRequest) -> HttpResponse:
    sessions.sign_out_everywhere(signed_in(request), keep=request)
    messages.success(request, _("You are signed out everywhere else."))
    return redirect("preferences")


class SetUpForm(forms.Form):
    code = forms.CharField(
        label=gettext_lazy("The code that the app shows"),
        max_length=7,
        widget=UnfoldAdminTextInputWidget(
            {"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}
        ),
    )


@never_cache
@sensitive_post_parameters()
@recently.proven
def my_second_factor(request: HttpRequest) -> HttpResponse:
    """Set up, renewed and removed by whose it is. Codes are shown this once, in answer to the button."""
    user = signed_in(request)
    device = authenticator_of(user)
    if request.method == "POST":
        done = _of_one(request, user) if device else _of_none(request, user)
        if done is not None:
            return done
    new = None if device else second_factor.being_set_up(user)
    return _shown(
        request,
        device=device,
        left=second_factor.left(user) if device else 0,
        new=new,
        form=SetUpForm(),
        picture=second_factor.picture(new) if new else "",
        wrong="_confirm" in request.POST,
        required=settings.SECOND_FACTOR == "required",
    )


def _of_none(request: HttpRequest, user: User) -> HttpResponse | None:
    if "_begin" in request.POST:
        second_factor.begin(user)
        return redirect("second_factor")
    codes = second_factor.confirm(user, request.POST.get("code", "")) if "_confirm" in request.POST else None
    if codes is None:
        return None
    request.session.pop(MUST_SET_UP, None)
    return _shown(request, codes=codes)


def _of_one(request: HttpRequest, user: User) -> HttpResponse | None:
    if "_codes" in request.POST:
        return _shown(request, codes=second_factor.renew_codes(user))
    if "_remove" not in request.POST:
        return None
    if settings.SECOND_FACTOR == "required":
        raise PermissionDenied
    second_factor.remove(user)
    messages.success(request, _("Your second factor is removed. Your password alone signs you in."))
    return redirect("second_factor")


def _shown(request: HttpRequest, **shown: Any) -> HttpResponse:
    context = {**admin.site.each_context(request), "title": _("Second factor"), **shown}
    return TemplateResponse(request, "cakewalk/signing_in/second_factor.html", context)
