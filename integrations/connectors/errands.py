"""Calls to a remote that wait side by side, each in a thread of its own, while one thread does all else.

That one is at home: it sends the errands out, hears what came of them, and does for them whatever is no
call, such as to ask the database for a turn. No thread but its own ever touches a database.
"""

import os
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future
from contextvars import ContextVar, copy_context
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread, current_thread
from typing import Any, Generic, Self, TypeVar

from integrations.connectors.width import MOST, Width, was_refused, went_well

Result = TypeVar("Result")
Item = TypeVar("Item")


class Abandoned(BaseException):
    """Nobody is at home any more: an errand that hears it ends. Not an error, so that none is made of it."""


class Errand(Generic[Result]):
    """One call under way. `family`: of what those that go with it are refused, if it is refused."""

    def __init__(self, errands: "Errands", family: Hashable, width: Width) -> None:
        self.family = family
        self.width = width
        self.outcome: Future[Result] = Future()
        self._errands = errands

    def at_home(self, deed: Callable[[], Item]) -> Item:
        return self._errands.do(deed)

    def slow_down(self) -> None:
        """Told at home, when the remote has refused a call of it."""
        self._errands.narrow(self)


_under_way: ContextVar[Errand[Any] | None] = ContextVar("errand", default=None)


def at_home(deed: Callable[[], Result]) -> Result:
    """Done by the thread that has sent this one out. Where this is no errand, it is at home."""
    errand = _under_way.get()
    return errand.at_home(deed) if errand else deed()


def slow_down() -> Callable[[], None]:
    """What is to be done at home when the call that is made here was refused."""
    errand = _under_way.get()
    return errand.slow_down if errand else lambda: None


def aside(call: Callable[[], Result], outcome: Future[Result] | None = None) -> Future[Result]:
    """The call is under way, in a thread of its own that logs as this one does."""
    future: Future[Result] = outcome or Future()
    try:
        hand = _idle.pop()
    except IndexError:
        hand = SimpleQueue()
        Thread(target=_lend, args=(hand,), name="idle", daemon=True).start()
    hand.put(partial(copy_context().run, _carry_out, call, future))
    return future


Hand = SimpleQueue[Callable[[], None]]
_idle: list[Hand] = []
"""Threads that wait for another call: to start one costs a tenth of what a call does."""
os.register_at_fork(after_in_child=_idle.clear)  # the child has none of them


def _lend(hand: Hand) -> None:
    thread = current_thread()
    while True:
        call = hand.get()
        thread.name = "aside"
        call()
        del call  # with all that it has heard
        thread.name = "idle"
        _idle.append(hand)


def _carry_out(call: Callable[[], Result], outcome: Future[Result]) -> None:
    try:
        result = call()
    except BaseException as error:  # whatever it is, it is for whoever waits for the result
        outcome.set_exception(error)
    else:
        outcome.set_result(result)


class Errands:
    """Those that one thread sends out, at most so many of a family at once. As a context manager: whatever is
    still under way at the end is abandoned, and does nothing more than to hear its answer. The first of a
    family goes alone: what is refused to it is not asked for more than once.
    """

    def __init__(self) -> None:
        self._widths: dict[Hashable, Width] = {}
        self._under_way: set[Errand[Any]] = set()
        self._door: SimpleQueue[Errand[Any] | tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        self._lock = Lock()
        self._is_left = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_left = True
        while not self._door.empty():
            arrived = self._door.get()
            if not isinstance(arrived, Errand):
                arrived[1].set_exception(Abandoned())

    def has_room(self, family: Hashable) -> bool:
        of_family = sum(errand.family == family for errand in self._under_way)
        return len(self._under_way) < MOST and of_family < self._width(family).room

    def send(self, family: Hashable, call: Callable[[], Result]) -> Errand[Result]:
        errand: Errand[Result] = Errand(self, family, self._width(family))
        self._under_way.add(errand)
        errand.outcome.add_done_callback(lambda _: self._door.put(errand))

        def on_the_way() -> Result:
            _under_way.set(errand)
            return call()

        aside(on_the_way, errand.outcome)
        return errand

    def next_back(self) -> Errand[Any]:
        """The one that ends first, from now on. Meanwhile what the others ask for is done."""
        while not isinstance(arrived := self._door.get(), Errand):
            deed, answer = arrived
            _carry_out(deed, answer)
        self._under_way.remove(arrived)
        self._widths[arrived.family] = went_well(self._width(arrived.family), arrived.width)
        return arrived

    def each(
        self,
        items: Iterable[Item],
        call: Callable[[Item], Result],
        family: Callable[[Item], Hashable] = lambda _: None,
    ) -> Iterator[tuple[Item, Result]]:
        """As they come back, each with its result. An error of one is raised; the others are abandoned."""
        sent: dict[Errand[Any], Item] = {}

        def back() -> tuple[Item, Result]:
            errand = self.next_back()
            return sent.pop(errand), errand.outcome.result()

        for item in items:
            while not self.has_room(family(item)):
                yield back()
            sent[self.send(family(item), partial(call, item))] = item
        while sent:
            yield back()

    def do(self, deed: Callable[[], Result]) -> Result:
        """Asked by an errand: done at home, as soon as that waits for one."""
        answer: Future[Result] = Future()
        with self._lock:
            if self._is_left:
                raise Abandoned
            self._door.put((deed, answer))
        return answer.result()

    def narrow(self, errand: Errand[Any]) -> None:
        self._widths[errand.family] = was_refused(self._width(errand.family), errand.width)

    def _width(self, family: Hashable) -> Width:
        return self._widths.get(family, Width())
