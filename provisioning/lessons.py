"""What the end of a job says about its integration. Pure."""

from collections.abc import Mapping
from enum import StrEnum


class Lesson(StrEnum):
    WORKS = "works"
    FAILS = "fails"
    NOTHING = "nothing"


def lesson_of(
    state: str, error: Mapping[str, str] | None, *, preview: bool, lacks_rights: bool = False
) -> Lesson:
    """By the job's state, and the error that stopped it as a whole, if one did. `lacks_rights`: its key may
    do nothing of what it tried.

    A job that was read to its end and stopped by nothing says that the integration works, whatever became
    of it: a refusal is about the directory, and an action that OpenAI rejects is about one account. Slowing
    everyone down would help neither. A preview that fails is somebody looking for the trouble, and must not
    put off the next try; one that succeeds proves as much as a sync does.
    """
    if state == "cancelled" or (error and error.get("code") == "not_enabled"):
        return Lesson.NOTHING
    if state != "inconclusive" and not error and not lacks_rights:
        return Lesson.WORKS
    return Lesson.NOTHING if preview or state == "partial" else Lesson.FAILS
