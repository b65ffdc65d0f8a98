"""Who may do what on which integration: a role is held everywhere, or on named integrations only.

Whatever belongs to an integration is asked for with its row: `user.has_perm(permission, row)`. Without a row
a role on some integrations opens pages, whose lists are `of_those_permitted`, and does nothing else: whoever
forgets the row has refused, and not allowed.
"""

import functools
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from django.apps import apps
from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.models import Permission
from django.db.models import ForeignKey, Model, Q, QuerySet

from cakewalk.models import User
from integrations.models import Integration, RoleOnIntegration

May = Callable[[str], bool]
"""Whether somebody may, by the name of a permission."""

Rows = TypeVar("Rows", bound=QuerySet[Any])

NOT_ON_ONE = ("integrations.add_integration",)
"""What concerns no integration that is there already."""


class OnIntegrations(BaseBackend):
    """Nobody signs in by it. Roles that are held everywhere are told by the other backends."""

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        if not isinstance(user_obj, User) or not user_obj.is_active:
            return False
        if obj is None:
            return _looks(perm) and any(perm in held for held in held_on(user_obj).values())
        if perm in user_obj.get_all_permissions():
            return True
        pk = integration_of(obj)
        return pk is not None and perm in held_on(user_obj).get(pk, ())

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        if not isinstance(user_obj, User) or not user_obj.is_active:
            return False
        held = {perm for perms in held_on(user_obj).values() for perm in perms}
        return any(perm.startswith(f"{app_label}.") for perm in held)


def _looks(perm: str) -> bool:
    return perm.partition(".")[2].startswith("view_")


def held_on(user: User) -> Mapping[int, Collection[str]]:
    """By integration, asked for once in the life of the user at hand, as Django does with the others."""
    found: dict[int, set[str]] | None = getattr(user, "_on_integrations", None)
    if found is None:
        found = defaultdict(set)
        rows = RoleOnIntegration.objects.filter(user=user).values_list(
            "integration",
            "role__permissions__content_type__app_label",
            "role__permissions__content_type__model",
            "role__permissions__codename",
        )
        for integration, app, model, codename in rows:
            if codename and _belongs(app, model, codename):
                found[integration].add(f"{app}.{codename}")
        user._on_integrations = found  # type: ignore[attr-defined]
    return found


def _belongs(app: str, model: str, codename: str) -> bool:
    """Whether a role on an integration can give it: the directory, staff and retention are everybody's."""
    try:
        return f"{app}.{codename}" not in NOT_ON_ONE and bool(path_from(apps.get_model(app, model)))
    except LookupError:
        return False


# -- what belongs to which integration


def path_from(model: type[Model]) -> str:
    """How a query comes from the model's rows to their integration: found in its fields, so that no model can
    be forgotten. Empty where they belong to none.
    """
    return _path_from(model._meta.label)


@functools.cache
def _path_from(label: str) -> str:
    model = apps.get_model(label)
    if model is Integration:
        return "pk"
    fields = model._meta.concrete_fields
    if any(field.name == "integration" for field in fields):
        return "integration"
    leading = [
        field for field in fields if isinstance(field, ForeignKey) and field.related_model is not model
    ]
    for field in sorted(leading, key=lambda field: field.null):  # what belongs to it always, first
        if further := path_from(field.related_model):
            return f"{field.name}__{further}"
    return ""


def integration_of(row: Model) -> int | None:
    """The id of the integration that it belongs to."""
    *way, last = path_from(type(row)).split("__")
    found: Any = row
    for name in way:
        found = getattr(found, name)
        if found is None:
            return None
    match last:
        case "pk":
            return int(found.pk) if found.pk else None
        case "integration":  # in the ledger it is a number, which stays when the row is gone
            held = found.integration_id if hasattr(found, "integration_id") else found.integration
            return int(held) if held else None
    return None


# -- where somebody may


def where(user: Any, *permissions: str) -> Collection[int] | None:
    """The ids of the integrations where they hold one of these; None: everywhere."""
    if any(
        user.is_active and (user.is_superuser or one in user.get_all_permissions()) for one in permissions
    ):
        return None
    if not isinstance(user, User) or not user.is_active:
        return ()
    return [pk for pk, held in held_on(user).items() if any(one in held for one in permissions)]


def anywhere(user: Any, *permissions: str) -> bool:
    """To open a page or offer a button: what is done there asks again, with its row."""
    found = where(user, *permissions)
    return found is None or bool(found)


def of_those_permitted(rows: Rows, user: Any, *permissions: str) -> Rows:
    """Rows of the integrations where the user holds one of these permissions. Of what belongs to none, all:
    whether they may see that at all was asked before.
    """
    path = path_from(rows.model)
    found = where(user, *permissions) if path else None
    return rows if found is None else rows.filter(**{f"{path}__in": found})


def seen_by(user: Any) -> QuerySet[Integration]:
    return of_those_permitted(Integration.objects.all(), user, "integrations.view_integration")


def on(integration: Integration, user: Any) -> May:
    """What the user may do there."""
    return lambda permission: bool(user.has_perm(permission, integration))


def holders(permission: str, *, on: Model | None = None) -> QuerySet[User]:
    """Who is active and holds it everywhere, or there; without a row, anywhere."""
    app, codename = permission.split(".")
    named = Permission.objects.filter(content_type__app_label=app, codename=codename)
    there = RoleOnIntegration.objects.filter(role__permissions__in=named)
    if on is not None:
        there = there.filter(integration=integration_of(on))
    everywhere = Q(is_superuser=True) | Q(user_permissions__in=named) | Q(groups__permissions__in=named)
    return User.objects.filter(everywhere | Q(pk__in=there.values("user")), is_active=True).distinct()
