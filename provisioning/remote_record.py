"""Which event of a remote's own record tells of which action, and who changed what we did not. Pure."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from directory.emails import email_key
from integrations.connectors.base import Event, EventKind
from provisioning.actions import Kind
from provisioning.differences import Change

CLOCKS_DIFFER = timedelta(minutes=5)
"""What the remote's clock may differ from ours."""

TELLS_OF: Mapping[str, EventKind] = {
    Kind.INVITE: EventKind.INVITE_SENT,
    Kind.WITHDRAW_INVITE: EventKind.INVITE_WITHDRAWN,
    Kind.CHANGE_ROLE: EventKind.ROLE_CHANGED,
    Kind.REMOVE: EventKind.ACCOUNT_REMOVED,
    Kind.GRANT: EventKind.GRANT_GIVEN,
    Kind.CHANGE_GRANT: EventKind.GRANT_CHANGED,
    Kind.REVOKE: EventKind.GRANT_TAKEN,
    Kind.REVOKE_KEY: EventKind.KEY_REVOKED,
    Kind.CREATE: EventKind.ENTITLEMENT_MADE,
}
"""The kind of the event that an action leaves behind."""

ADDED = (EventKind.INVITE_SENT, EventKind.ACCOUNT_ADDED)
ENDED = (EventKind.ACCOUNT_REMOVED, EventKind.INVITE_WITHDRAWN)

LED_TO: Mapping[str, Collection[EventKind]] = {
    Kind.CHANGE_ROLE: (EventKind.ROLE_CHANGED,),
    Kind.GRANT: (EventKind.GRANT_TAKEN,),
    Kind.CHANGE_GRANT: (EventKind.GRANT_CHANGED, EventKind.GRANT_GIVEN),
    Kind.REVOKE: (EventKind.GRANT_GIVEN,),
}
"""What somebody must have done for an action to be needed against drift."""

BROUGHT_ABOUT: Mapping[str, Collection[EventKind]] = {
    Change.APPEARED: ADDED,
    Change.VANISHED: ENDED,
    Change.ROLE: (EventKind.ROLE_CHANGED,),
    Change.GRANTS: (EventKind.GRANT_GIVEN, EventKind.GRANT_CHANGED, EventKind.GRANT_TAKEN),
}
"""What somebody must have done for two reads to differ. Other differences are nobody's doing."""


@dataclass(frozen=True, slots=True)
class Deed:
    """An action that we did between two moments, by our own clock. `subjects`: ids and addresses, any of
    which the event must name; `of` and `place_id`: the kind and the id of an entitlement.
    """

    key: int
    kind: EventKind
    subjects: frozenset[str]
    since: datetime
    until: datetime
    of: str = ""
    place_id: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What another must have done before `until`: something of one of the `kinds`."""

    kinds: Collection[EventKind]
    subjects: frozenset[str]
    until: datetime
    of: str = ""
    place_id: str = ""


class Record:
    """Events, to be asked which of them is about somebody."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._by_subject: dict[str, list[Event]] = {}
        self._revocations: list[Event] = []
        for event in events:
            for subject in event.about:
                self._by_subject.setdefault(_key(subject), []).append(event)
            if EventKind.KEY_REVOKED in event.kinds:
                self._revocations.append(event)

    def about(self, subjects: Iterable[str], kinds: Collection[EventKind]) -> Iterator[Event]:
        """A record may know keys by ids of its own, so that any revocation may be the one."""
        found = {event.id: event for s in subjects for event in self._by_subject.get(_key(s), ())}
        if EventKind.KEY_REVOKED in kinds:
            found |= {event.id: event for event in self._revocations}
        return (event for event in found.values() if not event.kinds.isdisjoint(kinds))


def confirmations(deeds: Iterable[Deed], events: Collection[Event], owner_id: str) -> dict[int, Event]:
    """By the key of each deed that an event tells of. No event tells of two; what fits best is given first.

    `owner_id`: the account whose credential is ours, where it is known.
    """
    ours = {owner_id, ""}
    record = Record(e for e in events if e.by_key and (not owner_id or e.actor_id in ours))
    fitting = [
        (_misfit(event, deed), abs(event.at - deed.since), deed.key, event)
        for deed in deeds
        for event in record.about(deed.subjects, [deed.kind])
        if deed.since - CLOCKS_DIFFER <= event.at <= deed.until + CLOCKS_DIFFER
        and _fits(event, deed.of, deed.place_id)
    ]
    found: dict[int, Event] = {}
    taken: set[str] = set()
    for _, _, key, event in sorted(fitting, key=lambda pair: (*pair[:3], pair[3].id)):
        if key not in found and event.id not in taken:
            found[key] = event
            taken.add(event.id)
    return found


def cause(finding: Finding, record: Record, ours: Collection[str]) -> Event | None:
    """The event that tells who did it, the last one where several do. `ours`: ids of events that tell of what
    we did ourselves.
    """
    fitting = [
        event
        for event in record.about(finding.subjects, finding.kinds)
        if event.id not in ours
        and event.at <= finding.until
        and _fits(event, finding.of, finding.place_id)
        and not (EventKind.ACCOUNT_ADDED in event.kinds and _is_by_its_subject(event))
    ]
    # Who invited somebody says more than who let them in.
    return max(fitting, key=lambda e: (EventKind.INVITE_SENT in e.kinds, e.at, e.id), default=None)


def _is_by_its_subject(event: Event) -> bool:
    """Whoever accepts an invite adds themselves; that somebody else let them in is what matters."""
    return event.actor_id in event.about


def _fits(event: Event, of: str, place_id: str) -> bool:
    if of and event.of and event.of != of:
        return False
    # What was done by a key may have been done in any place.
    return not place_id or (event.by_key and not event.place_id) or _is_in(event, place_id)


def _is_in(event: Event, place_id: str) -> bool:
    return event.place_id == place_id or place_id in event.about


def _misfit(event: Event, deed: Deed) -> tuple[bool, bool]:
    """Of what somebody was given in one place at one time, each has the event of its own kind."""
    return event.of != deed.of, not _names(event, deed.subjects, deed.place_id)


def _names(event: Event, subjects: Collection[str], place_id: str) -> bool:
    """Whether it tells for certain, and nothing is left to the time at which it happened."""
    return not event.about.isdisjoint(subjects) and (not place_id or _is_in(event, place_id))


def _key(subject: str) -> str:
    return email_key(subject) if "@" in subject else subject
