"""What a pack is asked for: an integration, a period, a sample; and up to where the record is told."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Max, Min

from cakewalk.ledger.chain import GENESIS, Link
from cakewalk.ledger.models import Entry, Head, Pruning
from directory.time_zones import midnight
from integrations.models import Integration

SAMPLE = 25
MOST_SAMPLED = 500
LONGEST_SEED = 100
LONGEST_PERIOD = timedelta(days=800)


class BadOrder(ValueError):
    """Nothing can be made of it; the message says why, in a sentence."""


@dataclass(frozen=True, slots=True)
class Order:
    """`until`: that day included. `through`: the last entry of the ledger that counts, of a period that was
    not over when it was asked for; None once it is, for then it ends by itself.
    """

    integration: Integration
    since: date
    until: date
    sample: int = SAMPLE
    seed: str = ""
    through: int | None = None

    @property
    def begins(self) -> datetime:
        return midnight(self.since)

    @property
    def over(self) -> datetime:
        return midnight(self.until + timedelta(days=1))


def order(
    integration: Integration,
    since: date,
    until: date,
    *,
    now: datetime,
    sample: int = SAMPLE,
    seed: str = "",
    through: int | None = None,
) -> Order:
    """Raises BadOrder. Of a period that is not over, the ledger counts as far as it goes now."""
    asked = Order(integration, since, until, sample, seed.strip(), through)
    _check(asked, now)
    if through is None and asked.over > now:
        head = Head.objects.first()
        return Order(integration, since, until, sample, asked.seed, head.seq if head else 0)
    return asked


def _check(asked: Order, now: datetime) -> None:
    if asked.since > asked.until:
        raise BadOrder("The period ends before it begins.")
    if asked.until - asked.since > LONGEST_PERIOD:
        raise BadOrder(f"A period is {LONGEST_PERIOD.days} days long at most.")
    if asked.begins > now:
        raise BadOrder("The period has not begun yet.")
    if not 0 <= asked.sample <= MOST_SAMPLED:
        raise BadOrder(f"A sample is of 0 to {MOST_SAMPLED} items.")
    if len(asked.seed) > LONGEST_SEED or not asked.seed.isprintable():
        raise BadOrder(f"A seed is a text of at most {LONGEST_SEED} characters, on one line.")
    if asked.through and not Entry.objects.filter(seq=asked.through).exists():
        raise BadOrder(f"The ledger has no entry {asked.through}.")


@dataclass(frozen=True, slots=True)
class Stand:
    """The state of the record that a pack tells of. `ends`: what came later is left out. `before`: the entry
    that the first of the period follows. `last`: the last of the period, which names the state. `begun_at`:
    of the first entry that there is, None without one.
    """

    begins: datetime
    ends: datetime
    before: Link
    last: Link
    begun_at: datetime | None
    is_over: bool

    @property
    def ledger_is_younger(self) -> bool:
        return self.begun_at is None or self.begun_at > self.begins


def stand(asked: Order) -> Stand:
    entries = Entry.objects.all()
    ends = asked.over
    if asked.through is not None:
        entries = entries.filter(seq__lte=asked.through)
        at = entries.filter(seq=asked.through).values_list("at", flat=True).first()
        ends = min(ends, at + timedelta(microseconds=1)) if at else ends
    told = entries.filter(at__gte=asked.begins, at__lt=asked.over).aggregate(
        first=Min("seq"), last=Max("seq")
    )
    earlier = entries.filter(at__lt=asked.begins).aggregate(last=Max("seq"))["last"] or 0
    first, last = told["first"] or earlier + 1, told["last"] or earlier
    oldest = entries.aggregate(at=Min("at"))["at"]
    return Stand(asked.begins, ends, _link(first - 1), _link(last), oldest, asked.through is None)


def _link(seq: int) -> Link:
    """Of an entry; of the one before all others, where there is none."""
    found = Entry.objects.filter(seq=seq).values_list("hash", flat=True).first()
    if found:
        return Link(seq, found)
    begin = Pruning.begin()
    return begin if begin.seq == seq else Link(0, GENESIS)
