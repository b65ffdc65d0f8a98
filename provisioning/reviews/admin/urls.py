"""The addresses of reviewers, under /admin/my-reviews/."""

from django.contrib import admin
from django.urls import path

from provisioning.reviews.admin.mine import mine, review

app_name = "reviews"
urlpatterns = [
    path("", admin.site.admin_view(mine), name="mine"),
    path("<uuid:public_id>/", admin.site.admin_view(review), name="review"),
]
