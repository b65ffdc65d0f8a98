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
    RelatedDropdownFilter,
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

from cakewalk.recorded import Recorded

if TYPE_CHECKING:
    # The theme has no types. Its classes extend Django's, and its decorators return what they are given.
    Decorated = TypeVar("Decorated", bound=Callable[..., Any])
    Themed = admin.ModelAdmin[Any]
    StackedInline = admin.StackedInline[Any, Any]
    TabularInline = admin.TabularInline[Any, Any]
    ChangeList = main.ChangeList
    DropdownFilter = admin.SimpleListFilter

    def action(**options: Any) -> Callable[[Decorated], Decorated]: ...
    def display(**options: Any) -> Callable[[Decorated], Decorated]: ...

else:
    from unfold.admin import ModelAdmin as Themed
    from unfold.admin import StackedInline, TabularInline
    from unfold.contrib.filters.admin import DropdownFilter
    from unfold.decorators import action, display
    from unfold.views import ChangeList


class ModelAdmin(Recorded, Themed):
    """What every page of a model is made of: the theme, and that whatever is done there is recorded."""


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
    "StackedInline",
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
