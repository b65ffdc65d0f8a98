"""The reasons of an action in words, made when somebody looks, in their language."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cakewalk.words import called
from provisioning.reasons import Why

Reason = Mapping[str, Any]
Mark = Callable[[str], str]
"""How a name is set apart from the sentence around it."""


def in_words(reasons: Iterable[Reason]) -> str:
    """`Left engineering on 3 Mar 2026 (people.csv); no rule gives access any more.`"""
    return _joined([_clause(reason, str) for reason in reasons])


def in_html(reasons: Iterable[Reason]) -> SafeString:
    """The same, with the names in italics."""
    return mark_safe(_joined([_clause(reason, _emphasized) for reason in reasons]))  # noqa: S308 - each part is escaped


def _emphasized(name: str) -> str:
    return format_html("<em>{}</em>", name)


def _joined(clauses: Sequence[str]) -> str:
    said = "; ".join(clause for clause in clauses if clause)
    return f"{said[:1].upper()}{said[1:]}." if said else ""


def _clause(reason: Reason, mark: Mark) -> str:
    safe = str if mark is str else conditional_escape
    said = {
        "group": mark(reason.get("group", "")),
        "day": safe(_day(reason)),
        "by": safe(reason.get("by", "")),
        "was": mark(reason.get("was") or _("nothing")) if not isinstance(reason.get("was"), list) else "",
        "now": mark(reason.get("now") or _("nothing")) if not isinstance(reason.get("now"), list) else "",
        "what": f"{safe(called(reason.get('kind', '')))} {mark(reason.get('name', ''))}",
        "role": mark(reason.get("role") or ""),
        "review": mark(reason.get("review", "")),
        "rules": ", ".join(mark(name) for name in reason.get("rules", ())),
    }
    return _template(reason) % said


def _day(reason: Reason) -> str:
    if at := reason.get("at"):
        return date_format(localtime(datetime.fromisoformat(at)), "DATE_FORMAT")
    return date_format(date.fromisoformat(reason["date"]), "DATE_FORMAT") if reason.get("date") else ""


def _template(reason: Reason) -> str:
    if reason["code"] == Why.RULE_GIVES:
        return _what_rules_give(reason)
    if reason["code"] == Why.ENTERED and reason.get("group"):
        return _("entered into the directory with the group %(group)s on %(day)s (%(by)s)")
    say = SENTENCES.get(reason["code"])
    return say() if say else ""


def _what_rules_give(reason: Reason) -> str:
    number = len(reason["rules"])
    if not reason.get("role"):
        return ngettext("the rule %(rules)s speaks of them", "the rules %(rules)s speak of them", number)
    if not reason.get("name"):
        return ngettext(
            "the rule %(rules)s gives the role %(role)s", "the rules %(rules)s give the role %(role)s", number
        )
    return ngettext(
        "the rule %(rules)s gives the %(what)s as %(role)s",
        "the rules %(rules)s give the %(what)s as %(role)s",
        number,
    )


SENTENCES: Mapping[str, Callable[[], str]] = {
    Why.ENTERED: lambda: _("entered into the directory on %(day)s (%(by)s)"),
    Why.ACTIVATED: lambda: _("set active in the directory on %(day)s (%(by)s)"),
    Why.DEACTIVATED: lambda: _("set inactive in the directory on %(day)s (%(by)s)"),
    Why.INACTIVE: lambda: _("not active in the directory"),
    Why.STARTED: lambda: _("their first day was %(day)s"),
    Why.NOT_STARTED: lambda: _("their first day is %(day)s"),
    Why.ENDED: lambda: _("their end date %(day)s has passed"),
    Why.JOINED_GROUP: lambda: _("joined %(group)s on %(day)s (%(by)s)"),
    Why.LEFT_GROUP: lambda: _("left %(group)s on %(day)s (%(by)s)"),
    Why.NO_RULE: lambda: _("no rule gives access any more"),
    Why.NO_RULE_FOR: lambda: _("no rule gives the %(what)s any more"),
    Why.RULES_CHANGED: lambda: _("the directory tells of no such change, so the access rules have changed"),
    Why.CHANGED_THERE: lambda: _(
        "somebody changed it in the organization: Cakewalk left %(was)s, and found %(now)s"
    ),
    Why.NEVER_IN_STEP: lambda: _("it was so before Cakewalk came, and never in step"),
    Why.INVITE_LAPSED: lambda: _("the invite lapsed before it was accepted"),
    Why.EXCEPTED: lambda: _("revoked in the access review %(review)s, whatever the rules give"),
    Why.INVITE_DIFFERS: lambda: _("the open invite no longer says what the rules give"),
}
