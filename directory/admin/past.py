"""What was said of a person before, in words for their page and their history."""

from collections.abc import Iterable
from datetime import date
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest
from django.utils.translation import gettext as _

from cakewalk.site import signed_in
from cakewalk.words import called
from directory.models import Person, Revision

PER_PAGE = 50


def by_hand(request: HttpRequest) -> str:
    return f"{signed_in(request).get_username()}, in the admin"


def lines_of(revisions: Iterable[Revision]) -> list[dict[str, Any]]:
    return [
        {
            "at": revision.at,
            "by": revision.by,
            "fields": [
                {
                    "name": called(column.replace("_", " ")),
                    "before": shown(old),
                    "after": shown(new),
                    "is_new": old is None,
                }
                for column, (old, new) in revision.fields.items()
            ],
        }
        for revision in revisions
    ]


def history_page(person: Person, number: str | None) -> dict[str, Any]:
    page = Paginator(person.revisions.order_by("-pk"), PER_PAGE).get_page(number)
    return {"revisions": lines_of(page), "revision_page": page}


def shown(value: Any) -> str:
    match value:
        case None | "" | () | []:
            return _("nothing")
        case bool():
            return _("yes") if value else _("no")
        case tuple() | list():
            return ", ".join(value)
        case date():
            return value.isoformat()
        case _:
            return str(value)
