"""A task's lines carry the id of the request that asked for it, which its message brings along."""

from contextlib import AbstractContextManager
from typing import Any

from celery import signals

from cakewalk.logs.context import around, current

HEADER = "cakewalk_request"

_under_way: dict[str, AbstractContextManager[None]] = {}
"""By task id: two signals are where Celery tells of the beginning and of the end."""


@signals.before_task_publish.connect  # type: ignore[untyped-decorator]
def _send_along(headers: dict[str, Any], **_: Any) -> None:
    if asked := current().get("request"):
        headers[HEADER] = asked


@signals.task_prerun.connect  # type: ignore[untyped-decorator]
def _begin(task_id: str, task: Any, **_: Any) -> None:
    asked = getattr(task.request, HEADER, None)
    entered = around(request=asked, task=task.name.rpartition(".")[2], task_id=task_id)
    entered.__enter__()
    _under_way[task_id] = entered


@signals.task_postrun.connect  # type: ignore[untyped-decorator]
def _end(task_id: str, **_: Any) -> None:
    if entered := _under_way.pop(task_id, None):
        entered.__exit__(None, None, None)


@signals.setup_logging.connect  # type: ignore[untyped-decorator]
def _leave_logging_alone(**_: Any) -> None:
    """Settings say how, for workers and clock as for everybody."""
