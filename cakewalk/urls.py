from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from directory.scim.view import scim

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/integrations/", include("integrations.admin.urls")),
    path("admin/", admin.site.urls),
    re_path(r"^scim/v2(?P<path>/.*)?$", scim),
]
