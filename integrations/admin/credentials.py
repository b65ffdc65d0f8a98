"""What a key holder sees: the integrations whose key they may enter, and of these no more than it takes."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from integrations import permitting
from integrations.catalog import connector_class
from integrations.models import Credential, Integration

ENTER = "integrations.enter_credential"


def credentials(request: HttpRequest) -> TemplateResponse:
    if not permitting.anywhere(request.user, ENTER):
        raise PermissionDenied
    found = list(permitting.of_those_permitted(Integration.objects.order_by("name"), request.user, ENTER))
    stored = Credential.objects.defer("secret").in_bulk(
        [one.pk for one in found], field_name="integration_id"
    )
    rows = [
        {"integration": one, "title": connector_class(one.kind).card.title, "key": stored.get(one.pk)}
        for one in found
    ]
    context = {**admin.site.each_context(request), "title": _("Credentials"), "rows": rows}
    return TemplateResponse(request, "integrations/credentials.html", context)
