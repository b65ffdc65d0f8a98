from django.urls import path

from cakewalk.documents.pages import document, index

app_name = "docs"
urlpatterns = [path("", index, name="index"), path("<path:address>", document, name="document")]
