"""Who signs in, and what their roles let them do."""

import copy
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.models import User
from cakewalk.rights import rights_of
from cakewalk.signing_in import second_factor
from cakewalk.signing_in.models import authenticator_of
from cakewalk.signing_in.recently import ProvenChanges, proven
from cakewalk.signing_in.sessions import sign_out_everywhere
from cakewalk.theme import (
    AdminPasswordChangeForm,
    ChangeList,
    ModelAdmin,
    TabularInline,
    UnfoldAdminCheckboxSelectMultipleWidget,
    UserChangeForm,
    UserCreationForm,
    display,
)
from cakewalk.words import called
from integrations.models import RoleOnIntegration

admin.site.unregister(Group)

OURS = (
    "alarms",
    "auth",
    "cakewalk",
    "directory",
    "evidence",
    "integrations",
    "ledger",
    "provisioning",
    "retention",
    "reviews",
)
"""The apps whose permissions a role may hold; the others have no pages."""
WITHOUT_PAGES = ("credential", "head", "membership", "permission", "personemail", "pruning", "verification")


class RoleOnIntegrationInline(TabularInline):
    """Superusers alone hold the permissions for it."""

    model = RoleOnIntegration
    extra = 0

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        found = super().get_formset(request, obj, **kwargs)
        for field in found.form.base_fields.values():
            field.widget.attrs["aria-label"] = str(field.label)
            for deed in ("add", "change", "delete", "view"):
                setattr(field.widget, f"can_{deed}_related", False)
        return found

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj != request.user and super().has_add_permission(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj != request.user and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj != request.user and super().has_delete_permission(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


RIGHTS = ("is_active", "is_staff", "groups", "is_superuser")


@admin.register(User)
class UserAdmin(ProvenChanges, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]  # Django's is not generic when run
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "email", "first_name", "last_name", "roles", "is_active", "last_login")
    list_filter = ("is_active",)
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    not_told = ("last_login", "sign_outs")
    change_form_outer_before_template = "cakewalk/signing_in/user_panel.html"
    inlines = (RoleOnIntegrationInline,)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Who they are"), {"fields": ("first_name", "last_name", "email")}),
        (
            _("What they may do"),
            {
                "description": _(
                    "An auditor looks and changes nothing. An operator sets up and runs. "
                    "An approver releases what is held. A reviewer keeps or revokes what is asked of them. "
                    "A key holder enters keys, and nothing else."
                ),
                "fields": ("is_active", "is_staff", "groups", "is_superuser"),
            },
        ),
        (_("Since when"), {"fields": ("last_login", "date_joined")}),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: the record of what they did would go with them. Whoever leaves is set inactive."""
        return False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers only, whatever a role says: whoever may change users could become one."""
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return self.inlines if obj else ()  # a new user has a name and a password first

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Nobody gives themselves rights, nor takes them: so whoever takes them remains a superuser."""
        fixed = super().get_readonly_fields(request, obj)
        return (*fixed, *RIGHTS) if obj == request.user else fixed

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """One after the other: of two superusers who demote each other, the second no longer may."""
        superusers = User.objects.select_for_update().filter(is_superuser=True, is_active=True)
        if request.user.pk not in [one.pk for one in superusers.order_by("pk")]:
            raise PermissionDenied
        super().save_model(request, obj, form, change)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        users: QuerySet[User] = super().get_queryset(request)
        return users.prefetch_related(
            "groups", "roles_on_integrations__role", "roles_on_integrations__integration"
        )

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        told = {"label": _("Roles"), "help_text": _("They may do what any of their roles allows.")}
        return super().formfield_for_manytomany(
            db_field, request, widget=UnfoldAdminCheckboxSelectMultipleWidget(), **told, **kwargs
        )

    def get_urls(self) -> list[URLPattern]:
        urls: list[URLPattern] = super().get_urls()
        buttons = {"sign_out": self.sign_out, "remove_factor": self.remove_factor}
        for name, view in buttons.items():
            pressed = self.admin_site.admin_view(require_POST(view))
            urls.insert(0, path(f"<int:pk>/{name}/", pressed, name=f"cakewalk_user_{name}"))
        return urls

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        number = int(object_id) if object_id.isdecimal() else 0
        extra = {"has_second_factor": authenticator_of(number) is not None, **(extra_context or {})}
        user = self.get_object(request, object_id)
        if user is not None and self.has_view_permission(request, user):
            extra |= {"rights": rights_of(user), "own_page": user == request.user}
        return super().change_view(request, object_id, form_url, extra)

    @proven
    def sign_out(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        user = get_object_or_404(User, pk=pk)
        sign_out_everywhere(user, keep=request if user == request.user else None)
        messages.success(request, gettext("%(user)s is signed out everywhere.") % {"user": user})
        return redirect("admin:cakewalk_user_change", pk)

    @proven
    def remove_factor(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Of somebody who has lost it. Their sessions end; the next one begins with the password alone."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        user = get_object_or_404(User, pk=pk)
        if second_factor.remove(user, of_another=user != request.user):
            messages.success(request, gettext("The second factor of %(user)s is removed.") % {"user": user})
        return redirect("admin:cakewalk_user_change", pk)

    @proven
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        with together():
            return super().user_change_password(request, id, form_url)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """A new password is written down where it is set; that nobody has one any more, nowhere else."""
        if hasattr(obj, "said_before"):
            super().log_change(request, obj, message)
        elif not obj.has_usable_password():
            record(Verb.PASSWORD_SET, obj, facts={"password": "none: they cannot sign in with one"})

    @display(description=_("Roles"))
    def roles(self, user: User) -> str:
        if user.is_superuser:
            return gettext("Superuser")
        everywhere = sorted(group.name for group in user.groups.all())
        there = sorted(
            gettext("%(role)s on %(integration)s") % {"role": one.role, "integration": one.integration}
            for one in user.roles_on_integrations.all()
        )
        return ", ".join(everywhere + there) or "-"


@admin.register(Group)
class GroupAdmin(ProvenChanges, DjangoGroupAdmin, ModelAdmin):
    """What Django calls a group is a role here, because groups are the directory's."""

    list_display = ("name", "users_number")
    filter_horizontal = ()

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Superusers only, as for users: whoever writes roles could give themselves everything."""
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    has_delete_permission = has_change_permission

    def __init__(self, model: type[Group], admin_site: admin.AdminSite) -> None:
        super().__init__(model, admin_site)
        self.opts = copy.copy(model._meta)
        self.opts.verbose_name, self.opts.verbose_name_plural = _("role"), _("roles")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        roles: QuerySet[Group] = super().get_queryset(request)
        return roles.annotate(users_number=Count("user", distinct=True))

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type["RoleList"]:
        return RoleList

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any
    ) -> Any:
        ours = Permission.objects.filter(content_type__app_label__in=OURS)
        shown = ours.exclude(content_type__model__in=WITHOUT_PAGES).select_related("content_type")
        field: Any = super().formfield_for_manytomany(
            db_field,
            request,
            widget=UnfoldAdminCheckboxSelectMultipleWidget({"class": "cw-permission"}),
            queryset=shown.order_by("content_type__app_label", "content_type__model", "pk"),
            **kwargs,
        )
        field.label_from_instance = _in_our_words
        return field

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The users who lose the role, instead of a line for each permission."""
        held = Q(groups__in=objs) | Q(roles_on_integrations__role__in=objs)
        users = User.objects.filter(held).distinct().order_by("username")
        losing = [gettext("%(user)s loses it") % {"user": user} for user in users]
        lacking: set[str] = set() if self.has_delete_permission(request) else {str(self.opts.verbose_name)}
        return [*map(str, objs), losing] if losing else [*map(str, objs)], {}, lacking, []

    @display(description=_("Users"), ordering="users_number")
    def users_number(self, role: Any) -> int:
        return int(role.users_number)


VERBS = {
    "add": _("Add %(verbose_name)s"),
    "change": _("Change %(verbose_name)s"),
    "delete": _("Delete %(verbose_name)s"),
    "view": _("View %(verbose_name)s"),
}


def _in_our_words(permission: Permission) -> str:
    """Its name is stored, in English: `Can add provisioning job`."""
    name = permission.name.removeprefix("Can ")
    verb, _space, model = name.partition(" ")
    if verb not in VERBS:
        return called(f"{name[:1].upper()}{name[1:]}")
    model = "role" if permission.content_type.app_label == "auth" else model.removeprefix("provisioning ")
    return str(VERBS[verb]) % {"verbose_name": called(model)}


class RoleList(ChangeList):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.opts = self.model_admin.opts
