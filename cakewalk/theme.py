"""The admin's theme in one place: the only module that imports unfold, so that it can be exchanged."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.contrib import admin
from django.contrib.admin.views import main
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    FieldTextFilter,
    MultipleChoicesDropdownFilter,
    RangeDateTimeFilter,
)
from unfold.contrib.filters.admin import (
    RelatedDropdownFilter as ThemedRelatedDropdownFilter,
)
from unfold.enums import ActionVariant
from unfold.forms import (
    AdminPasswordChangeForm,
    BaseDialogForm,
    UserChangeForm,
    UserCreationForm,
)
from unfold.forms import AuthenticationForm as SignInForm
from unfold.paginator import InfinitePaginator
from unfold.sites import UnfoldAdminSite
from unfold.views import UnfoldModelAdminViewMixin
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminEmailInputWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
    UnfoldBooleanWidget,
)

from cakewalk.permitted import Permitted, PermittedLines, named
from cakewalk.recorded import Recorded
from integrations import permitting

if TYPE_CHECKING:
    # The theme has no types. Its classes extend Django's, and its decorators return what they are given.
    Decorated = TypeVar("Decorated", bound=Callable[..., Any])
    Themed = admin.ModelAdmin[Any]
    ThemedLines = admin.TabularInline[Any, Any]
    ChangeList = main.ChangeList
    DropdownFilter = admin.SimpleListFilter

    def action(**options: Any) -> Callable[[Decorated], Decorated]: ...
    def display(**options: Any) -> Callable[[Decorated], Decorated]: ...

else:
    from unfold.admin import ModelAdmin as Themed
    from unfold.admin import TabularInline as ThemedLines
    from unfold.contrib.filters.admin import DropdownFilter
    from unfold.decorators import action, display
    from unfold.views import ChangeList


class ModelAdmin(Permitted, Recorded, Themed):
    """What every page of a model is made of: the theme, whose rows it shows to whom, and that whatever is
    done there is recorded.
    """


class TabularInline(PermittedLines, ThemedLines):
    """The lines of a row, on its page."""


class RelatedDropdownFilter(ThemedRelatedDropdownFilter):  # type: ignore[misc]  # the theme has no types
    """Offers what the viewer may see."""

    def field_choices(self, field: Any, request: Any, model_admin: Any) -> list[tuple[str, str]]:
        rows = field.related_model._default_manager.all()
        seen = permitting.of_those_permitted(rows, request.user, named("view", field.related_model))
        ordering = self.field_admin_ordering(field, request, model_admin)
        offered: list[tuple[str, str]] = field.get_choices(
            include_blank=False, ordering=ordering, limit_choices_to={"pk__in": seen.values("pk")}
        )
        return offered


__all__ = [
    "ActionVariant",
    "AdminPasswordChangeForm",
    "AutocompleteSelectFilter",
    "BaseDialogForm",
    "BooleanRadioFilter",
    "ChangeList",
    "ChoicesDropdownFilter",
    "DropdownFilter",
    "FieldTextFilter",
    "InfinitePaginator",
    "ModelAdmin",
    "MultipleChoicesDropdownFilter",
    "RangeDateTimeFilter",
    "RelatedDropdownFilter",
    "SignInForm",
    "TabularInline",
    "UnfoldAdminCheckboxSelectMultipleWidget",
    "UnfoldAdminEmailInputWidget",
    "UnfoldAdminFileFieldWidget",
    "UnfoldAdminIntegerFieldWidget",
    "UnfoldAdminPasswordWidget",
    "UnfoldAdminRadioSelectWidget",
    "UnfoldAdminSelectWidget",
    "UnfoldAdminSite",
    "UnfoldAdminTextInputWidget",
    "UnfoldAdminTextareaWidget",
    "UnfoldBooleanSwitchWidget",
    "UnfoldBooleanWidget",
    "UnfoldModelAdminViewMixin",
    "UserChangeForm",
    "UserCreationForm",
    "action",
    "display",
]
