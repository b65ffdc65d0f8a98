"""The page on which those who are signed in choose their language and their time zone."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.saying import differences, said_of, stored
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.site import signed_in
from cakewalk.theme import UnfoldAdminSelectWidget
from directory.time_zones import time_zone_names

AS_THE_BROWSER_SAYS = ("", gettext_lazy("As the browser says"))


class PreferencesForm(forms.ModelForm):  # type: ignore[type-arg]
    language = forms.ChoiceField(
        label=gettext_lazy("Language"),
        required=False,
        choices=[AS_THE_BROWSER_SAYS, *settings.LANGUAGES],
        widget=UnfoldAdminSelectWidget(),
        help_text=gettext_lazy("Of pages. What is recorded of jobs stays English."),
    )
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        required=False,
        choices=lambda: [AS_THE_BROWSER_SAYS, *((name, name) for name in time_zone_names())],
        widget=UnfoldAdminSelectWidget(),
        help_text=gettext_lazy("In which times are shown. Exports keep to UTC."),
    )

    class Meta:
        model = User
        fields = ("language", "time_zone")


def preferences(request: HttpRequest) -> HttpResponse:
    user = signed_in(request)
    form = PreferencesForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        with together():
            before = stored(user)
            user.save(update_fields=["language", "time_zone"])
            old, new = differences(before, said_of(user))
            if new:
                record(Verb.CHANGED, user, before=old, after=new)
        with translation.override(user.language or translation.get_language_from_request(request)):
            messages.success(request, _("Your preferences are saved."))
        return redirect("preferences")
    context: dict[str, Any] = {**admin.site.each_context(request), "title": _("Preferences"), "form": form}
    if settings.OIDC_ISSUER:
        context |= {"provider": settings.OIDC_NAME, "may_link": not user.identities.exists()}
    return TemplateResponse(request, "cakewalk/preferences.html", context)
