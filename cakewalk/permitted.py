"""What pages of a model show and change: rows of the integrations where the viewer may, for every ModelAdmin.

A role is held everywhere or on some integrations only, see integrations/permitting.py.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth import get_permission_codename
from django.core.exceptions import PermissionDenied
from django.db.models import ManyToManyField, Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from integrations import permitting

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
    InlineBase = admin.TabularInline[Any, Any]
else:
    Base = InlineBase = object

VERBS = ("add", "change", "delete", "view")


def named(verb: str, model: type[Model]) -> str:
    """`provisioning.view_account`."""
    return f"{model._meta.app_label}.{get_permission_codename(verb, model._meta)}"


class WithFields(Base):
    """What a form offers."""

    def get_field_queryset(self, db: Any, db_field: Any, request: Any) -> Any:
        """Of integrations, those where they may write such a row; of what belongs to some, what they see."""
        rows, model = super().get_field_queryset(db, db_field, request), db_field.remote_field.model
        if request is None or not permitting.path_from(model):
            return rows
        rows = model._default_manager.all() if rows is None else rows
        if isinstance(db_field, ManyToManyField) or model._meta.label != "integrations.Integration":
            return permitting.of_those_permitted(rows, request.user, named("view", model))
        writes = (named(verb, self.model) for verb in ("add", "change"))
        return permitting.of_those_permitted(rows, request.user, *writes)


class Permitted(WithFields):
    """Without a row, whether there is anything that they may do; with one, whether they may do it there."""

    def _may(self, request: HttpRequest, row: Any, *verbs: str) -> bool:
        names = [named(verb, self.model) for verb in verbs]
        if row is None:
            return permitting.anywhere(request.user, *names)
        return any(request.user.has_perm(name, row) for name in names)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj, "view", "change")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, None, "add")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj, "change")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj, "delete")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.permitted(request, super().get_queryset(request))

    def permitted(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Of these rows of the model, those that the viewer may see."""
        seen = (named(verb, self.model) for verb in ("view", "change"))
        return permitting.of_those_permitted(rows, request.user, *seen)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """As it was typed it may belong to another integration than before."""
        needed = named("change" if change else "add", self.model)
        if permitting.path_from(self.model) and not request.user.has_perm(needed, obj):
            raise PermissionDenied
        super().save_model(request, obj, form, change)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Each on all of the chosen rows or none: there may be some that they see and may not change."""
        found: Any = super().get_actions(request)
        return {name: (_with_permission(func), name, told) for name, (func, _name, told) in found.items()}


def _with_permission(action: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(action)
    def done(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for verb in getattr(action, "allowed_permissions", ()):
            if verb not in VERBS or permitting.where(request.user, named(verb, queryset.model)) is None:
                continue
            there = permitting.of_those_permitted(queryset, request.user, named(verb, queryset.model))
            if there.count() != queryset.count():
                messages.error(request, _("Nothing was done: some of these are not yours to change."))
                return None
        return action(model_admin, request, queryset)

    return done


class PermittedLines(WithFields, InlineBase):
    """The lines of a table on the page of the row that they belong to."""

    def _may_there(self, request: HttpRequest, verb: str, row: Any) -> bool:
        name = named(verb, self.opts.model)
        return request.user.has_perm(name, row) if row else permitting.anywhere(request.user, name)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_there(request, "add", obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_there(request, "change", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_there(request, "delete", obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_there(request, "view", obj) or self._may_there(request, "change", obj)
