"""Groups: who is in them, and which access rules hang on them."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cakewalk.theme import ModelAdmin, display
from directory import revising
from directory.admin.past import by_hand
from directory.models import Group, Membership
from integrations import permitting
from provisioning import requesting
from provisioning.models import AccessRule

MEMBERS_SHOWN = 50


class GroupForm(forms.ModelForm):  # type: ignore[type-arg]
    class Meta:
        model = Group
        fields = ("name",)

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if Group.objects.filter(name__iexact=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError(gettext("There is already a group named %(name)s.") % {"name": name})
        return name


@admin.register(Group)
class GroupAdmin(ModelAdmin):
    when_empty = _("An import makes the groups that its file names. Access rules hang on groups.")
    list_display = ("name", "people_number", "rules_number")
    search_fields = ("name",)
    ordering = ("name",)
    form = GroupForm
    change_form_outer_before_template = "directory/group_panel.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        groups: QuerySet[Group] = super().get_queryset(request)
        return groups.annotate(people_number=_number_of(Membership), rules_number=_number_of(AccessRule))

    @display(description=_("People"), ordering="people_number")
    def people_number(self, group: Any) -> int:
        return int(group.people_number)

    @display(description=_("Access rules"), ordering="rules_number")
    def rules_number(self, group: Any) -> int:
        return int(group.rules_number)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        group = self.get_object(request, object_id)
        extra = dict(extra_context or {})
        if group is not None and self.has_view_permission(request, group):
            extra |= self._panel(request, group)
        return super().change_view(request, object_id, form_url, extra)

    def _panel(self, request: HttpRequest, group: Any) -> dict[str, Any]:
        may = request.user.has_perm
        sees_people, sees_rules = may("directory.view_person"), may("provisioning.view_accessrule")
        named = AccessRule.objects.filter(group=group).select_related("integration").order_by("name")
        rules = permitting.of_those_permitted(named, request.user, "provisioning.view_accessrule")
        return {
            "title": group.name,
            "filled_by": list(group.scim_groups.select_related("source").order_by("source__name")),
            "group": group,
            "sees_people": sees_people,
            "members": list(group.people.order_by("email")[:MEMBERS_SHOWN]) if sees_people else [],
            "sees_rules": sees_rules,
            "rules": list(rules) if sees_rules else [],
        }

    def save_model(self, request: HttpRequest, obj: Group, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        requesting.directory_changed()

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The memberships by their number: naming each one would ask for each person."""
        groups, people = list(objs), Membership.objects.filter(group__in=objs).count()
        named = [gettext("%(group)s and who is in it") % {"group": group} for group in groups]
        rules = [
            gettext("Access rule: %(rule)s") % {"rule": rule}
            for rule in AccessRule.objects.filter(group__in=objs)
        ]
        return named, {"groups": len(groups), "memberships": people}, set(), rules

    def delete_model(self, request: HttpRequest, obj: Group) -> None:
        self.delete_queryset(request, Group.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Group]) -> None:
        members = set(Membership.objects.filter(group__in=queryset).values_list("person_id", flat=True))
        before = revising.known(members)
        super().delete_queryset(request, queryset)
        revising.note(before, members, by=by_hand(request), now=timezone.now())
        requesting.directory_changed()


def _number_of(model: type[Membership] | type[AccessRule]) -> Coalesce:
    """Counted by itself: joining both relations at once would multiply them."""
    of_group = model.objects.filter(group=OuterRef("pk")).order_by().values("group")
    return Coalesce(Subquery(of_group.annotate(number=Count("pk")).values("number")), 0)
