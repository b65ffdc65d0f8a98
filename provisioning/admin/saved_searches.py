"""Questions that are kept: one's own, and those that others share."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.site import signed_in
from integrations import permitting
from provisioning.search.models import SavedSearch

SAID = ("name", "page", "query", "shared")


class SaveForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = SavedSearch
        fields = ("name", "shared")


def shown_to(user: User, page: str, permission: str) -> QuerySet[SavedSearch]:
    """Those of others may name what only they see, so that they are for whoever sees everything there."""
    shared = Q(shared=True) if permitting.where(user, permission) is None else Q()
    seen = SavedSearch.objects.filter(Q(owner=user) | shared, page=page)
    return seen.select_related("owner").order_by("name", "pk")


def save(request: HttpRequest, page: str, query: str, address: Callable[[str], str]) -> HttpResponse:
    """One of the same name is replaced: it is the same question, asked better."""
    owner = signed_in(request)
    form = SaveForm({"name": request.POST.get("save_as"), "shared": request.POST.get("shared")})
    if not form.is_valid():
        messages.error(request, _("Not saved. Give the search a name of at most 100 characters."))
        return redirect(address(query))
    kept = {"page": page, "query": query, "shared": form.cleaned_data["shared"]}
    with together():
        saved, is_new = SavedSearch.objects.update_or_create(
            owner=owner, name=form.cleaned_data["name"], defaults=kept
        )
        record(Verb.ADDED if is_new else Verb.CHANGED, saved, after=_said(saved))
    messages.success(request, _("The search “%(name)s” is saved.") % {"name": saved.name})
    return redirect(address(query))


def forget(request: HttpRequest, pk: int, *, back: str) -> HttpResponse:
    """One's own only."""
    saved = get_object_or_404(SavedSearch, pk=pk)
    if saved.owner != signed_in(request):
        raise PermissionDenied
    with together():
        record(Verb.DELETED, saved, before=_said(saved))
        saved.delete()
    messages.success(request, _("The search “%(name)s” is deleted.") % {"name": saved.name})
    return redirect(back)


def _said(saved: SavedSearch) -> dict[str, Any]:
    return {name: getattr(saved, name) for name in SAID}
