"""What is recorded can be looked at in the admin, and by nobody changed there."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from cakewalk.templatetags.cakewalk import tone
from cakewalk.theme import ModelAdmin


class RecordAdmin(ModelAdmin):
    """Pages of rows that only jobs write."""

    actions = None
    list_per_page = 50
    show_full_result_count = False

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """Without the button to the admin's own log, which knows nothing of what jobs write."""
        extra = {**(extra_context or {}), "show_history": False}
        return super().change_view(request, object_id, form_url, extra)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def label(state: str, text: str) -> SafeString:
    return format_html('<span class="cw-label cw-label--{}">{}</span>', tone(state), text)
