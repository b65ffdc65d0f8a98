"""The addresses under /admin/integrations/ that are not a model's."""

from django.contrib import admin
from django.urls import path

from integrations.admin.catalog import catalog
from integrations.admin.connect import connect, replace_credential

app_name = "integrations"
urlpatterns = [
    path("catalog/", admin.site.admin_view(catalog), name="catalog"),
    path("connect/<slug:kind>/", admin.site.admin_view(connect), name="connect"),
    path("integration/<int:pk>/credential/", admin.site.admin_view(replace_credential), name="credential"),
]
