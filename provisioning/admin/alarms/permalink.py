"""An alarm by its random id, as messages name it: whoever may sees its page, after signing in."""

from uuid import UUID

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from integrations.permitting import of_those_permitted
from provisioning.alarms.models import Alarm


@never_cache
def alarm(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Strangers are asked to sign in, whether there is such an alarm or not."""
    if not admin.site.has_permission(request):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    if not request.user.has_perm("alarms.view_alarm"):
        raise PermissionDenied
    seen = of_those_permitted(Alarm.objects.all(), request.user, "alarms.view_alarm")
    found = get_object_or_404(seen, public_id=public_id)
    return redirect("admin:alarms_alarm_change", found.pk)
