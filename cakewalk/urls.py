from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/integrations/", include("integrations.admin.urls")),
    path("admin/", admin.site.urls),
]
