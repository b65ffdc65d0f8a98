"""A job by its random id: whoever may sees its page, after signing in where need be."""

from uuid import UUID

from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.cache import never_cache

from integrations.permitting import of_those_permitted
from provisioning.models import ProvisioningJob


@never_cache
def job(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Strangers are asked to sign in, whether there is such a job or not."""
    if not admin.site.has_permission(request):
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    if not request.user.has_perm("provisioning.view_provisioningjob"):
        raise PermissionDenied
    seen = of_those_permitted(
        ProvisioningJob.objects.all(), request.user, "provisioning.view_provisioningjob"
    )
    found = get_object_or_404(seen, public_id=public_id)
    return redirect("admin:provisioning_provisioningjob_change", found.pk)
