"""What a plan would do, in sentences with counts, for whoever has not read its lines yet. Decided over counts
alone.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from cakewalk.words import called
from provisioning.actions import Kind, Situation
from provisioning.safety import Code

HELD, REFUSED, SKIPPED = "held", "refused", "skipped"
ANEW = (Situation.INVITE_CHANGED, Situation.INVITE_EXPIRED)


class Counted(NamedTuple):
    """So many actions of a plan are of one kind and situation and fare alike: their state, and its reason."""

    kind: str
    situation: str
    state: str
    reason: str
    proposed: bool
    number: int


def sentences(counted: Collection[Counted], mode: str) -> list[str]:
    """The whole of a plan: what a sync would do, what it would not do and why, and what it only reports."""
    decided = [each for each in counted if not each.proposed]
    writing = [each for each in decided if each.kind != Kind.REPORT]
    held = [each for each in writing if each.state == HELD]
    beyond = [each for each in writing if each.state == SKIPPED and each.reason == Code.MODE]
    refused = [each for each in writing if each.state == REFUSED]
    dependent = [each for each in writing if each.state == SKIPPED and each.reason != Code.MODE]
    done = [each for each in writing if each.state not in (HELD, REFUSED, SKIPPED)]
    said = [
        *_would(done),
        *_held(held),
        *_beyond_the_mode(beyond, mode),
        *_left_undone(_sum(refused), _sum(dependent)),
    ]
    reported = list(_reported(each for each in decided if each.kind == Kind.REPORT))
    return [
        *(said or [_nothing(reported)]),
        *reported,
        *_proposed(_sum(each for each in counted if each.proposed)),
    ]


def deeds(counted: Iterable[Counted]) -> str:
    """`invite 12 people, change the role of 3 accounts and remove 2 accounts`; empty where there is none."""
    numbers: Counter[str] = Counter()
    for each in counted:
        if each.situation in ANEW and each.kind in (Kind.INVITE, Kind.WITHDRAW_INVITE):
            # The former invite is withdrawn so that a new one can be sent: one thing to whoever looks.
            numbers["anew"] += each.number if each.kind == Kind.INVITE else 0
        else:
            numbers[each.kind] += each.number
    return listed([say(numbers[name]) for name, say in DEEDS.items() if numbers[name]])


def listed(parts: Collection[str]) -> str:
    """`one, two and three`."""
    *others, last = parts or [""]
    return _("%(others)s and %(last)s") % {"others": ", ".join(others), "last": last} if others else last


def _nothing(reported: Collection[str]) -> str:
    if reported:
        return _("A sync would change nothing.")
    return _("A sync would change nothing: every account is as the access rules say.")


def _sum(counted: Iterable[Counted]) -> int:
    return sum(each.number for each in counted)


def _would(done: Collection[Counted]) -> Iterable[str]:
    if said := deeds(done):
        yield _("A sync would %(deeds)s.") % {"deeds": said}


def _held(held: Collection[Counted]) -> Iterable[str]:
    if said := deeds(held):
        yield _("It would wait for an approver before it does the following: %(deeds)s.") % {"deeds": said}


def _beyond_the_mode(beyond: Collection[Counted], mode: str) -> Iterable[str]:
    said = {"deeds": deeds(beyond), "mode": called(mode)}
    if not said["deeds"]:
        return
    if mode == "observe":
        yield _("In mode observe it changes nothing. In mode manage it would %(deeds)s.") % said
    else:
        yield _("In mode %(mode)s it takes nothing away. In mode manage it would also %(deeds)s.") % said


def _left_undone(refused: int, dependent: int) -> Iterable[str]:
    if refused:
        yield ngettext(
            "%(number)d action is refused, whatever the mode; its line says why.",
            "%(number)d actions are refused, whatever the mode; their lines say why.",
            refused,
        ) % {"number": refused}
    if dependent:
        yield ngettext(
            "%(number)d action is left out; its line says why.",
            "%(number)d actions are left out; their lines say why.",
            dependent,
        ) % {"number": dependent}


def _reported(reports: Iterable[Counted]) -> Iterable[str]:
    numbers: Counter[str] = Counter()
    for each in reports:
        numbers[each.situation] += each.number
    for situation, say in REPORTS.items():
        if number := numbers.pop(situation, 0):
            yield say(number)
    if number := numbers.total():
        yield _only_reported(number)


def _proposed(number: int) -> Iterable[str]:
    if number:
        yield ngettext(
            "%(number)d more action would follow if the proposed rules were active.",
            "%(number)d more actions would follow if the proposed rules were active.",
            number,
        ) % {"number": number}


Say = Callable[[int], str]


def _invite(number: int) -> str:
    return ngettext("invite %(number)d person", "invite %(number)d people", number) % {"number": number}


def _anew(number: int) -> str:
    said = ngettext("send %(number)d invite anew", "send %(number)d invites anew", number)
    return said % {"number": number}


def _withdraw(number: int) -> str:
    said = ngettext("withdraw %(number)d invite", "withdraw %(number)d invites", number)
    return said % {"number": number}


def _change_role(number: int) -> str:
    said = ngettext("change the role of %(number)d account", "change the role of %(number)d accounts", number)
    return said % {"number": number}


def _remove(number: int) -> str:
    return ngettext("remove %(number)d account", "remove %(number)d accounts", number) % {"number": number}


def _grant(number: int) -> str:
    said = ngettext("give %(number)d project or group", "give projects and groups %(number)d times", number)
    return said % {"number": number}


def _change_grant(number: int) -> str:
    said = ngettext("change %(number)d role in a project", "change %(number)d roles in projects", number)
    return said % {"number": number}


def _revoke(number: int) -> str:
    said = ngettext(
        "take away %(number)d project or group", "take projects and groups away %(number)d times", number
    )
    return said % {"number": number}


def _revoke_key(number: int) -> str:
    return ngettext("revoke %(number)d key", "revoke %(number)d keys", number) % {"number": number}


def _create(number: int) -> str:
    said = ngettext("create %(number)d project or group", "create %(number)d projects and groups", number)
    return said % {"number": number}


DEEDS: Mapping[str, Say] = {
    Kind.CREATE: _create,
    Kind.INVITE: _invite,
    "anew": _anew,
    Kind.CHANGE_ROLE: _change_role,
    Kind.GRANT: _grant,
    Kind.CHANGE_GRANT: _change_grant,
    Kind.REVOKE: _revoke,
    Kind.WITHDRAW_INVITE: _withdraw,
    Kind.REMOVE: _remove,
    Kind.REVOKE_KEY: _revoke_key,
}
"""In the order in which a plan is carried out: what gives, then what takes."""


def _orphans(number: int) -> str:
    return ngettext(
        "%(number)d account belongs to nobody in the directory and is only reported.",
        "%(number)d accounts belong to nobody in the directory and are only reported.",
        number,
    ) % {"number": number}


def _ambiguous(number: int) -> str:
    return ngettext(
        "%(number)d account or person fits more than one, which is never guessed: link it by hand.",
        "%(number)d accounts or people fit more than one, which is never guessed: link them by hand.",
        number,
    ) % {"number": number}


def _protected(number: int) -> str:
    return ngettext(
        "%(number)d account is protected and left alone.",
        "%(number)d accounts are protected and left alone.",
        number,
    ) % {"number": number}


def _ignored(number: int) -> str:
    return ngettext(
        "%(number)d account is ignored and left alone.",
        "%(number)d accounts are ignored and left alone.",
        number,
    ) % {"number": number}


def _managed_elsewhere(number: int) -> str:
    return ngettext(
        "%(number)d account is managed by another system and left alone.",
        "%(number)d accounts are managed by another system and left alone.",
        number,
    ) % {"number": number}


def _service_accounts(number: int) -> str:
    return ngettext(
        "%(number)d service account is nobody's and left alone.",
        "%(number)d service accounts are nobody's and left alone.",
        number,
    ) % {"number": number}


def _outside_domains(number: int) -> str:
    return ngettext(
        "%(number)d account has an address outside the managed domains and is left alone.",
        "%(number)d accounts have addresses outside the managed domains and are left alone.",
        number,
    ) % {"number": number}


def _rule_problems(number: int) -> str:
    return ngettext(
        "%(number)d time an access rule names something that cannot be managed.",
        "%(number)d times an access rule names something that cannot be managed.",
        number,
    ) % {"number": number}


def _only_reported(number: int) -> str:
    return ngettext(
        "%(number)d more finding is only reported.",
        "%(number)d more findings are only reported.",
        number,
    ) % {"number": number}


REPORTS: Mapping[str, Say] = {
    Situation.ORPHAN: _orphans,
    Situation.AMBIGUOUS: _ambiguous,
    Situation.PROTECTED: _protected,
    Situation.IGNORED: _ignored,
    Situation.MANAGED_ELSEWHERE: _managed_elsewhere,
    Situation.SERVICE_ACCOUNT: _service_accounts,
    Situation.OUTSIDE_DOMAINS: _outside_domains,
    Situation.RULE_PROBLEM: _rule_problems,
}
