"""The import page: a file is uploaded, its whole plan is shown, and that plan is applied.

Between the two steps the file travels in the page itself, signed: any web process can take the second
step, and nothing about people lies around on the server when it is never taken.
"""

import base64
import zlib
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone

from cakewalk.site import signed_in
from cakewalk.theme import ModelAdmin, UnfoldAdminTextInputWidget, UnfoldBooleanWidget
from directory import importing
from directory.admin.past import shown
from directory.importing import Change, ImportPlan, Options
from directory.models import Source
from directory.people_table import COLUMNS
from provisioning import requesting

SALT = "directory.import"
VALID_SECONDS = 3600
MAX_UPLOAD_BYTES = 10 * 1024 * 1024
MAX_PACKED = 2_000_000
"""Below Django's limit for a form, 2.5 MB."""
TOO_LARGE = "The file is too large for this page. The command import_people takes it."
SHOWN = 100
"""How many people of each kind a preview shows before it counts the rest."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A file and what it is to do."""

    file: str
    content: bytes
    source: str
    replace: bool

    def options(self, *, allow_drop: bool = False, by: str = "") -> Options:
        return Options(self.source, self.replace, allow_drop, by=by)

    def packed(self, *, user: int, digest: str) -> str:
        """For the hidden field of the preview: this file, this plan, this user."""
        content = base64.b64encode(zlib.compress(self.content)).decode("ascii")
        document = [user, digest, self.file, self.source, self.replace, content]
        return signing.dumps(document, salt=SALT, compress=True)

    @classmethod
    def unpacked(cls, packed: str, *, user: int) -> "tuple[Upload, str]":
        """The upload and the digest of its plan. Raises signing.BadSignature."""
        owner, digest, file, source, replace, content = signing.loads(
            packed, salt=SALT, max_age=VALID_SECONDS
        )
        if owner != user:
            raise signing.BadSignature("It was uploaded by somebody else.")
        return cls(file, zlib.decompress(base64.b64decode(content)), source, replace), digest


class UploadForm(forms.Form):
    file = forms.FileField(allow_empty_file=True)
    source = forms.CharField(
        max_length=100, initial="file", widget=UnfoldAdminTextInputWidget({"list": "sources"})
    )
    replace = forms.BooleanField(required=False, widget=UnfoldBooleanWidget())

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_UPLOAD_BYTES:
            raise forms.ValidationError(TOO_LARGE)
        return file

    def upload(self) -> Upload:
        given = self.cleaned_data
        return Upload(given["file"].name, given["file"].read(), given["source"], given["replace"])


def import_page(people_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    if "packed" in request.POST:
        return _confirm(people_admin, request)
    form = UploadForm(request.POST, request.FILES) if request.method == "POST" else UploadForm()
    if form.is_valid():
        upload = form.upload()
        preview = _preview(people_admin, request, upload)
        if preview is not None:
            return preview
        form.add_error("file", TOO_LARGE)
    files = Source.objects.filter(kind=Source.Kind.FILE).order_by("name")
    context = {"form": form, "columns": list(COLUMNS), "sources": files.values_list("name", flat=True)}
    return _page(people_admin, request, "directory/import.html", context)


def _preview(people_admin: ModelAdmin, request: HttpRequest, upload: Upload) -> HttpResponse | None:
    """What the file would do; None when it is too large to be carried along."""
    plan = importing.preview(upload.file, upload.content, upload.options(), now=timezone.now())
    importing.note_conflicts(plan, now=timezone.now())  # the attempt ends here
    packed = upload.packed(user=_user(request), digest=plan.digest)
    if len(packed) > MAX_PACKED:
        return None
    context = {
        "plan": plan,
        "packed": packed,
        "replace": upload.replace,
        "errors": plan.errors[:SHOWN],
        "more_errors": len(plan.errors) - SHOWN,
        "parts": [
            _part("Added", "success", plan.added),
            _part("Changed", "info", plan.changed),
            _part("Deactivated", "danger", plan.deactivated),
        ],
    }
    return _page(people_admin, request, "directory/import_preview.html", context)


def _confirm(people_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    try:
        upload, digest = Upload.unpacked(request.POST["packed"], user=_user(request))
    except signing.BadSignature:
        messages.error(
            request, "This preview is no longer valid, and nothing was imported. Upload the file again."
        )
        return redirect("admin:directory_person_import_people")
    options = upload.options(allow_drop="allow_drop" in request.POST, by=signed_in(request).get_username())
    try:
        with transaction.atomic():
            plan = importing.import_people(
                upload.file, upload.content, options, now=timezone.now(), digest=digest
            )
            requesting.people_changed(plan.people)
    except importing.DirectoryChanged as changed:
        messages.warning(request, f"Nothing was imported. {changed}")
        return _preview(people_admin, request, upload) or redirect("admin:directory_person_import_people")
    if not plan.applied:
        messages.error(request, "Nothing was imported. Allow the drop, or upload a repaired file.")
        return _preview(people_admin, request, upload) or redirect("admin:directory_person_import_people")
    _say_what_was_done(people_admin, request, plan)
    return redirect("admin:directory_person_changelist")


def _say_what_was_done(people_admin: ModelAdmin, request: HttpRequest, plan: ImportPlan) -> None:
    done = (
        f"Imported {plan.file}: {len(plan.added)} added, {len(plan.changed)} changed, "
        f"{len(plan.deactivated)} deactivated, {plan.unchanged} unchanged."
    )
    people_admin.log_change(request, Source.objects.get(name=plan.options.source), done)
    if plan.changes:
        done += " A sync is due for every enabled integration."
    messages.success(request, done)


def _page(
    people_admin: ModelAdmin, request: HttpRequest, template: str, context: dict[str, Any]
) -> HttpResponse:
    site = people_admin.admin_site.each_context(request)
    shared = {**site, "title": "Import people", "opts": people_admin.opts}
    return TemplateResponse(request, template, shared | context)


def _user(request: HttpRequest) -> int:
    return int(request.user.pk or 0)


def _part(title: str, tone: str, changes: list[Change]) -> dict[str, Any]:
    return {
        "title": title,
        "tone": tone,
        "number": len(changes),
        "more": len(changes) - SHOWN,
        "lines": [_line(change) for change in changes[:SHOWN]],
    }


def _line(change: Change) -> dict[str, Any]:
    return {
        "email": change.before.get("email") or change.after["email"],
        "rows": ", ".join(map(str, change.rows)),
        "fields": [
            {"name": column.replace("_", " "), "before": shown(old), "after": shown(new)}
            for column, old, new in change.fields
            if change.before or column != "email"
        ],
        "is_new": not change.before,
    }
