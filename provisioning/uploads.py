"""Take an uploaded file one step further: show what it would change, or import just what was shown."""

import logging
import time
from collections.abc import Iterator
from datetime import datetime

from django.db import OperationalError, transaction
from django.utils import timezone

from cakewalk.ledger.actors import Actor, Kind, acting
from cakewalk.ledger.recording import together
from directory import importing
from directory.import_plan import Change, ImportPlan, Options
from directory.importing import DirectoryChanged
from directory.people_table import Problem, Reading
from directory.progress import Progress
from directory.uploads import TakenOver, Upload, UploadPage
from provisioning import recovering, requesting, tasks

log = logging.getLogger(__name__)

PER_PAGE = 100
TOLD_EVERY = 0.5
"""Seconds between two words of how far it is."""

Part = UploadPage.Part


def send(upload: Upload) -> None:
    """To a worker, as soon as what was done to it is committed."""
    requesting.wake(tasks.go_on_with_upload, upload_id=upload.pk)


def lost(*, now: datetime) -> list[int]:
    """Those whose message was lost, or whose worker died: to be sent again."""
    return [upload.pk for upload in Upload.objects.live().defer("packed") if _is_free(upload, now=now)]


def _is_free(upload: Upload, *, now: datetime) -> bool:
    return recovering.is_free(upload.holder, upload.lease_expires_at, now=now)


def go_on(upload_id: int) -> None:
    """Nothing where another worker has it, or where it waits for a person."""
    upload, now = Upload.objects.filter(pk=upload_id).first(), timezone.now()
    if upload is None or not _is_free(upload, now=now):
        return
    if not upload.claim(holder=recovering.worker_name(), now=now, after=upload.holder):
        return
    try:
        if upload.state == Upload.State.IMPORTING:
            _import(upload)
        if upload.state == Upload.State.READING:
            _show(upload)
    except TakenOver:
        log.warning("Upload %s was taken over by another worker.", upload.pk)
    except OperationalError:
        raise  # the database is away; the clock finds the upload again
    except Exception as error:
        # A defect of ours. Its text may hold anything, so only its name is kept where people can read it.
        log.exception("The import of upload %s failed.", upload.pk)
        what = f"An error in Cakewalk itself: {type(error).__name__}."
        upload.fail(f"{what} Nothing was imported. The worker's log has more.", now=timezone.now())


def _show(upload: Upload) -> None:
    reading, now = _read(upload), timezone.now()
    options = _options(upload)
    plan = importing.preview_reading(upload.file, reading, options, now=now, tell=_teller(upload))
    importing.note_conflicts(plan, now=now)
    with transaction.atomic():
        upload.show(digest=plan.digest, summary=_summary(plan), now=timezone.now())
        upload.pages.all().delete()
        UploadPage.objects.bulk_create(_pages(upload, plan))


def _import(upload: Upload) -> None:
    reading, now = _read(upload), timezone.now()
    options = _options(upload)
    upload.tell(
        "Writing", 0, now=now
    )  # the last word before the transaction: what is said in it, nobody hears
    try:
        with together(), acting(Actor(Kind.PERSON, options.by)):
            plan = importing.import_reading(upload.file, reading, options, now=now, digest=upload.digest)
            if not plan.applied:
                raise DirectoryChanged("The directory changed since the preview. Look at the new one.")
            requesting.people_changed(plan.people)
            upload.summary = _summary(plan)
            upload.pages.all().delete()
            upload.finish(upload.summary, now=timezone.now())
    except DirectoryChanged as changed:
        upload.show_again(f"Nothing was imported. {changed}", now=timezone.now())


def _options(upload: Upload) -> Options:
    by = upload.asked_by.get_username()
    return Options(upload.source_name, upload.replace, upload.allow_drop, by=by)


def said(upload: Upload) -> str:
    numbers = upload.summary
    return (
        f"Imported {upload.file}: {numbers['added']} added, {numbers['changed']} changed, "
        f"{numbers['deactivated']} deactivated, {numbers['unchanged']} unchanged."
    )


def _read(upload: Upload) -> Reading:
    return importing.read(upload.content, now=timezone.now(), tell=_teller(upload))


def _teller(upload: Upload) -> Progress:
    told_at = 0.0

    def tell(doing: str, share: float, of: int = 0, /) -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= TOLD_EVERY:
            upload.tell(doing, share, now=timezone.now())
            told_at = time.monotonic()

    return tell


def _summary(plan: ImportPlan) -> dict[str, object]:
    return {
        "rows": plan.rows,
        "errors": len(plan.errors),
        "contested": len(plan.contested),
        "added": len(plan.added),
        "changed": len(plan.changed),
        "deactivated": len(plan.deactivated),
        "unchanged": plan.unchanged,
        "untouched": plan.untouched,
        "groups_made": plan.groups_made,
        "warnings": plan.warnings[:PER_PAGE],
        "more_warnings": max(len(plan.warnings) - PER_PAGE, 0),
        "refusal": plan.refusal.detail if plan.refusal else "",
    }


def _pages(upload: Upload, plan: ImportPlan) -> Iterator[UploadPage]:
    parts: tuple[tuple[str, list[Problem] | list[Change]], ...] = (
        (Part.ERRORS, plan.errors),
        (Part.ADDED, plan.added),
        (Part.CHANGED, plan.changed),
        (Part.DEACTIVATED, plan.deactivated),
    )
    for part, lines in parts:
        for start in range(0, len(lines), PER_PAGE):
            page = [_line(line) for line in lines[start : start + PER_PAGE]]
            yield UploadPage(upload=upload, part=part, number=start // PER_PAGE + 1, lines=page)


def _line(line: Problem | Change) -> dict[str, object]:
    document = line.as_json()
    if isinstance(line, Change):
        document["was"] = line.before.get("email") or ""
    return document
