"""The addresses under /admin/integrations/ that are not a model's."""

from django.contrib import admin
from django.urls import path

from integrations.admin.catalog import catalog
from integrations.admin.connect import connect, replace_credential
from integrations.admin.credentials import credentials
from integrations.admin.key_links import revoke_link
from integrations.admin.welcome import welcome

app_name = "integrations"
urlpatterns = [
    path("catalog/", admin.site.admin_view(catalog), name="catalog"),
    path("credentials/", admin.site.admin_view(credentials), name="credentials"),
    path("connect/<slug:kind>/", admin.site.admin_view(connect), name="connect"),
    path("integration/<int:pk>/credential/", admin.site.admin_view(replace_credential), name="credential"),
    path("key-link/<int:pk>/revoke/", admin.site.admin_view(revoke_link), name="revoke_link"),
    path("integration/<int:pk>/welcome/", admin.site.admin_view(welcome), name="welcome"),
]
