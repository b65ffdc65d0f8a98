"""The import page: a file is uploaded, its whole plan is shown, and that plan is applied.

A worker does both, so that no request waits for a large file; the page shows how far it is.
"""

import hashlib
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from cakewalk.site import signed_in
from cakewalk.theme import ModelAdmin, UnfoldAdminTextInputWidget, UnfoldBooleanWidget
from cakewalk.words import called
from directory.admin.past import shown
from directory.models import Source, Upload, UploadPage
from directory.people_table import COLUMNS
from directory.tabular import MAX_FILE_BYTES
from provisioning import uploads

Part = UploadPage.Part
State = Upload.State
TONES = {Part.ERRORS: "danger", Part.ADDED: "success", Part.CHANGED: "info", Part.DEACTIVATED: "danger"}
NOT_THERE = _("This preview is no longer there, and nothing was imported. Upload the file again.")
NO_LONGER = _(
    "Nothing was imported just now: it is being imported already, or this is no longer what was shown."
)


class UploadForm(forms.Form):
    file = forms.FileField(allow_empty_file=True, max_length=255)
    source = forms.CharField(max_length=100, widget=UnfoldAdminTextInputWidget({"list": "sources"}))
    replace = forms.BooleanField(required=False, widget=UnfoldBooleanWidget())

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_FILE_BYTES:
            raise forms.ValidationError(
                gettext("The file is larger than %(number)d MB.") % {"number": MAX_FILE_BYTES // 1024 // 1024}
            )
        return file


def import_page(people_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    files = list(Source.objects.filter(kind=Source.Kind.FILE).order_by("name").values_list("name", flat=True))
    first = {"source": files[0] if len(files) == 1 else "file"}
    posted = request.method == "POST"
    form = UploadForm(request.POST, request.FILES) if posted else UploadForm(initial=first)
    if form.is_valid():
        return redirect("admin:directory_upload_page", _take(request, form.cleaned_data).pk)
    context = {"form": form, "columns": list(COLUMNS), "sources": files}
    return _page(people_admin, request, "directory/import.html", context)


def _take(request: HttpRequest, given: dict[str, Any]) -> Upload:
    content = given["file"].read()
    with together():
        upload = Upload.objects.create(
            asked_by=signed_in(request),
            file=given["file"].name,
            packed=Upload.pack(content),
            source_name=given["source"],
            replace=given["replace"],
            stepped_at=timezone.now(),
        )
        told = {"source": upload.source_name, "replace": upload.replace, "bytes": len(content)}
        record(Verb.FILE_UPLOADED, upload, facts=told | {"sha256": hashlib.sha256(content).hexdigest()})
        uploads.send(upload)
    return upload


def upload_page(people_admin: ModelAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """What it would change, and the button that imports just that; or how far it is; or what came of it."""
    upload = Upload.objects.defer("packed").filter(pk=pk).first()
    if upload is None:
        messages.error(request, NOT_THERE)
        return redirect("admin:directory_person_import_people")
    if request.method == "POST":
        _confirm(request, upload)
        return redirect("admin:directory_upload_page", pk)
    numbers = upload.summary
    told = [part for part in Part if upload.state == State.SHOWN and numbers[part]]
    context = {
        "upload": upload,
        "live": upload.state in Upload.LIVE,
        "took": (upload.stepped_at, timezone.now()),
        "percent": round(upload.share * 100),
        "changes": sum(numbers.get(part, 0) for part in (Part.ADDED, Part.CHANGED, Part.DEACTIVATED)),
        "said": uploads.said(upload) if upload.state == State.DONE else "",
        "parts": [_part(upload, part, request) for part in told],
    }
    return _page(people_admin, request, "directory/upload.html", context)


def _confirm(request: HttpRequest, upload: Upload) -> None:
    allow_drop = "allow_drop" in request.POST
    if upload.summary.get("refusal") and not allow_drop:
        messages.error(request, gettext("Nothing was imported. Allow the drop, or upload a repaired file."))
        return
    digest = request.POST.get("digest", "").replace("\0", "")  # which PostgreSQL has no room for
    with together():
        if upload.ask(by=signed_in(request), digest=digest, allow_drop=allow_drop, now=timezone.now()):
            uploads.send(upload)
        else:
            messages.warning(request, NO_LONGER)


def _page(
    people_admin: ModelAdmin, request: HttpRequest, template: str, context: dict[str, Any]
) -> HttpResponse:
    site = people_admin.admin_site.each_context(request)
    shared = {**site, "title": _("Import people"), "opts": people_admin.opts}
    return TemplateResponse(request, template, shared | context)


def _part(upload: Upload, part: UploadPage.Part, request: HttpRequest) -> dict[str, Any]:
    """Of the whole, one page, which the address names."""
    number, last = upload.summary[part], -(-upload.summary[part] // uploads.PER_PAGE)
    asked = request.GET.get(part, "1")
    place = min(int(asked), last) if asked.isdecimal() and asked != "0" else 1
    page = upload.pages.filter(part=part, number=place).first()
    lines = page.lines if page else []
    return {
        "name": part.value,
        "title": part.label,
        "tone": TONES[part],
        "number": number,
        "page": place,
        "last": last,
        "before": place - 1,
        "after": place + 1 if place < last else 0,
        "lines": lines if part == Part.ERRORS else [_line(line) for line in lines],
    }


def _line(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "email": line["was"] or line["email"],
        "rows": ", ".join(map(str, line["rows"])),
        "fields": [
            {"name": called(column.replace("_", " ")), "before": shown(old), "after": shown(new)}
            for column, (old, new) in line["fields"].items()
            if line["was"] or column != "email"
        ],
        "is_new": not line["was"],
    }
