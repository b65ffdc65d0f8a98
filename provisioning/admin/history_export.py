"""What a search of the history finds, as a file that is sent while it is read, however much it is."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from django.http import StreamingHttpResponse

from cakewalk import spreadsheets
from cakewalk.ledger import actors
from cakewalk.ledger.recording import record, together
from cakewalk.ledger.verbs import Verb
from directory.time_zones import today
from provisioning import history
from provisioning.admin.exporting import ACTION_COLUMNS, action_cells, moment_cell
from provisioning.models import Action, ProvisioningJob

CSV, XLSX, JSONL = "csv", "xlsx", "jsonl"
CONTENT_TYPES = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    JSONL: "application/jsonl; charset=utf-8",
}
JOB_COLUMNS = (
    "preview",
    "trigger",
    "planned",
    "requested_by",
    "requested",
    "request_reason",
    "approved_by",
    "approved",
    "approval_reason",
    "overridden",
    "rejected_by",
    "rejected",
    "rejection_reason",
    "cancelled_by",
    "cancel_reason",
)
COLUMNS = ("integration", *ACTION_COLUMNS, *JOB_COLUMNS)


def exported(rows: Iterable[Any], kind: str, *, called: str, columns: Iterable[str], asked: Any) -> Any:
    """`rows`: of texts for a table, of documents for JSON lines. `asked`: the question, for the ledger.

    The ledger is told before the first row leaves, and at the end how many have left.
    """
    written: Mapping[str, Callable[[Iterable[Any]], Iterator[Any]]] = {
        CSV: lambda rows: chain([spreadsheets.MARK], spreadsheets.csv_lines(chain([columns], rows))),
        XLSX: lambda rows: spreadsheets.workbook(chain([columns], rows)),
        JSONL: lambda rows: (f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows),
    }
    counted = _Counted(rows)
    facts = {"question": asked, "format": kind}
    with together():
        record(Verb.EXPORT_BEGUN, name=called, facts=facts)
    name = f"{called}-{today():%Y-%m-%d}.{kind}"
    return StreamingHttpResponse(
        _to_the_end(written[kind](counted), counted, called, facts, actors.current()),
        content_type=CONTENT_TYPES[kind],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


class _Counted:
    """Rows, and how many of them were taken."""

    def __init__(self, rows: Iterable[Any]) -> None:
        self._rows = rows
        self.number = 0

    def __iter__(self) -> Iterator[Any]:
        for row in self._rows:
            self.number += 1
            yield row


def _to_the_end(
    pieces: Iterator[Any], counted: _Counted, called: str, facts: Mapping[str, Any], by: actors.Actor
) -> Iterator[Any]:
    """Also when whoever asked goes away before it."""
    whole = False
    try:
        yield from pieces
        whole = True
    finally:
        told = {**facts, "rows": counted.number, "complete": whole}
        with together():
            record(Verb.EXPORTED, name=called, facts=told, by=by)


def cells(row: Action) -> Iterable[str]:
    return (row.job.integration.name, *action_cells(row), *_job_cells(row.job))


def _job_cells(job: ProvisioningJob) -> Iterable[str]:
    overridden = "; ".join(f"{one['code']} by {one['by']}: {one['reason']}" for one in job.overrides)
    return (
        "yes" if job.preview else "",
        job.trigger,
        moment_cell(job.planned_at),
        _name(job.requested_by),
        moment_cell(job.requested_at),
        job.request_reason,
        _name(job.approved_by),
        moment_cell(job.approved_at),
        job.approval_reason,
        overridden,
        _name(job.rejected_by),
        moment_cell(job.rejected_at),
        job.rejection_reason,
        _name(job.cancelled_by),
        job.cancel_reason,
    )


def document(row: Action) -> dict[str, Any]:
    job = dict(zip(JOB_COLUMNS, _job_cells(row.job), strict=True)) | {
        "preview": row.job.preview,
        "overridden": row.job.overrides,
    }
    decided = {name: value if value != "" else None for name, value in job.items()}
    return {
        "integration": row.job.integration.name,
        "job": {"number": row.job_id, **decided},
        **history.action_document(row),
    }


def _name(user: Any) -> str:
    return user.get_username() if user else ""
