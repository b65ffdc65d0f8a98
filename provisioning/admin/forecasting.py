"""Whom a change of rules would touch, in words: on the form, and in the question before it is done."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cakewalk.words import called, grouped
from integrations.models import Integration
from provisioning.foreseeing import Change, Forecast, RuleSet, foresee
from provisioning.group_planning import GroupRule
from provisioning.models import AccessRule
from provisioning.policy import Rule
from provisioning.touching import Effect, Touched

SHOWN = 5
"""So many addresses are named before the rest is counted."""

State = AccessRule.State


@dataclass(frozen=True, slots=True)
class Version:
    """A rule as it is, or as somebody wants it to be."""

    integration: Integration
    rule: Rule | GroupRule
    state: str

    @property
    def is_active(self) -> bool:
        return self.state == State.ACTIVE


@dataclass(frozen=True, slots=True)
class Edit:
    """What becomes of one rule: of a new one there is nothing `before`, of a deleted one nothing `after`."""

    before: Version | None
    after: Version | None

    @property
    def matters(self) -> bool:
        """Whether anybody's access may change by it."""
        return any(version and version.is_active for version in (self.before, self.after))


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence, with whom it is about. `notes`: label and tone."""

    text: str
    icon: str
    takes: bool
    who: tuple[str, ...]
    more: int
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Told:
    """A forecast in words. `only_if`: nothing of it comes about yet, as no rule in question is active."""

    integration: Integration
    forecast: Forecast
    only_if: bool
    of_people: bool
    lines: tuple[Line, ...]
    doubts: tuple[str, ...]
    mode: str


def forecasts(edits: Sequence[Edit], *, now: datetime | None = None, by_name: bool = True) -> list[Told]:
    """One for each integration. `by_name`: whether the reader may see who the people are."""
    versions = [version for edit in edits for version in (edit.before, edit.after) if version]
    concerned = {version.integration.pk: version.integration for version in versions}
    only_if = not any(edit.matters for edit in edits)
    told = []
    for integration in concerned.values():
        change = _change(integration, edits, only_if=only_if)
        told.append(
            _in_words(
                foresee(integration, change, now=now or timezone.now()),
                change,
                only_if=only_if,
                by_name=by_name,
            )
        )
    return told


def _change(integration: Integration, edits: Sequence[Edit], *, only_if: bool) -> Change:
    stored = RuleSet.stored(integration)
    old = [edit.before for edit in edits if edit.before and edit.before.integration == integration]
    new = [edit.after for edit in edits if edit.after and edit.after.integration == integration]
    wanted = [_as_active(version) if only_if else version for version in new if only_if or version.is_active]
    after = stored.exchanging(
        [one.rule.name for one in old if isinstance(one.rule, Rule)],
        [one.rule for one in wanted if isinstance(one.rule, Rule)],
    ).exchanging_groups(
        [one.rule.name for one in old if isinstance(one.rule, GroupRule)],
        [one.rule for one in wanted if isinstance(one.rule, GroupRule)],
    )
    about = [one.rule for one in (new or old)]
    return Change(
        stored,
        after,
        tuple(rule for rule in about if isinstance(rule, Rule)),
        tuple(rule for rule in about if isinstance(rule, GroupRule)),
    )


def _as_active(version: Version) -> Version:
    return replace(version, rule=replace(version.rule, proposed=False), state=State.ACTIVE)


def _in_words(forecast: Forecast, change: Change, *, only_if: bool, by_name: bool) -> Told:
    return Told(
        forecast.integration,
        forecast,
        only_if,
        of_people=bool(change.about),
        lines=tuple(_line(one, by_name=by_name) for one in forecast.touched),
        doubts=tuple(_doubts(forecast)),
        mode=_mode(forecast.integration),
    )


def _mode(integration: Integration) -> str:
    told = {"integration": integration.name}
    if integration.mode == Integration.Mode.OBSERVE:
        return (
            _("%(integration)s is in mode observe: nothing is changed there, and all this would be reported.")
            % told
        )
    if integration.mode == Integration.Mode.EXTEND:
        return (
            _("%(integration)s is in mode extend: what gives is done, what takes away is only reported.")
            % told
        )
    return ""


UNDONE = (Effect.KEEPS, Effect.FORGOES)
"""What the next sync would have done, and would not then."""


def _line(touched: Touched, *, by_name: bool) -> Line:
    kind, name = touched.what or ("", "")
    number = touched.number
    text = SENTENCES[touched.effect](number) % {"number": grouped(number), "kind": called(kind), "name": name}
    # What is made is named by the sentence.
    who = touched.who[:SHOWN] if by_name and touched.effect is not Effect.MADE else ()
    icon = "remove" if touched.takes else "undo" if touched.effect in UNDONE else "add"
    return Line(text, icon, touched.takes, who, number - len(who) if who else 0, tuple(_notes(touched)))


def _notes(touched: Touched) -> Iterable[tuple[str, str]]:
    if touched.held:
        yield _("%(number)s would wait for approval") % {"number": grouped(touched.held)}, "warning"
    if touched.refused:
        yield _("%(number)s would be refused") % {"number": grouped(touched.refused)}, "danger"
    if touched.beyond_mode:
        yield _("%(number)s only reported") % {"number": grouped(touched.beyond_mode)}, "info"


Say = Callable[[int], str]

SENTENCES: Mapping[Effect, Say] = {
    Effect.INVITED: lambda n: ngettext(
        "%(number)s person would be invited", "%(number)s people would be invited", n
    ),
    Effect.REINVITED: lambda n: ngettext(
        "%(number)s person would be sent a new invite: the open one says something else",
        "%(number)s people would be sent a new invite: the open one says something else",
        n,
    ),
    Effect.RAISED: lambda n: ngettext(
        "%(number)s person would get the organization role %(name)s, which is more than now",
        "%(number)s people would get the organization role %(name)s, which is more than now",
        n,
    ),
    Effect.GAINS: lambda n: ngettext(
        "%(number)s would gain the %(kind)s %(name)s", "%(number)s would gain the %(kind)s %(name)s", n
    ),
    Effect.RISES: lambda n: ngettext(
        "%(number)s would get more in the %(kind)s %(name)s",
        "%(number)s would get more in the %(kind)s %(name)s",
        n,
    ),
    Effect.MADE: lambda n: _("The %(kind)s %(name)s would be made"),
    Effect.LOWERED: lambda n: ngettext(
        "%(number)s person would be lowered to the organization role %(name)s",
        "%(number)s people would be lowered to the organization role %(name)s",
        n,
    ),
    Effect.SINKS: lambda n: ngettext(
        "%(number)s would have less in the %(kind)s %(name)s",
        "%(number)s would have less in the %(kind)s %(name)s",
        n,
    ),
    Effect.LOSES: lambda n: ngettext(
        "%(number)s would lose the %(kind)s %(name)s", "%(number)s would lose the %(kind)s %(name)s", n
    ),
    Effect.WITHDRAWN: lambda n: ngettext(
        "%(number)s open invite would be withdrawn", "%(number)s open invites would be withdrawn", n
    ),
    Effect.REMOVED: lambda n: ngettext(
        "%(number)s person would be removed from the organization",
        "%(number)s people would be removed from the organization",
        n,
    ),
    Effect.KEEPS: lambda n: ngettext(
        "%(number)s would keep what the next sync takes otherwise",
        "%(number)s would keep what the next sync takes otherwise",
        n,
    ),
    Effect.FORGOES: lambda n: ngettext(
        "%(number)s would not get what the next sync gives otherwise",
        "%(number)s would not get what the next sync gives otherwise",
        n,
    ),
}


def _doubts(forecast: Forecast) -> Iterable[str]:
    for name in forecast.not_asked_for:
        yield _("No read has looked for the %(name)s yet: whether it is there is not known.") % {"name": name}
    for name in forecast.unread:
        yield _(
            "Who holds the %(name)s now is not known: no rule has named it until now. Those who hold it, and "
            "to whom no rule gives it, would lose it."
        ) % {"name": name}
    if forecast.not_asked_for or forecast.unread:
        yield _("Save it as proposed and start a preview: that reads it, and shows the rest.")


def context_of(edits: Sequence[Edit], *, by_name: bool) -> dict[str, Any]:
    return {"forecasts": forecasts(edits, by_name=by_name)}
