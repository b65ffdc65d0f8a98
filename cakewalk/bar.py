"""How far a command has come: a bar on a terminal, plain lines or nothing where nobody looks.

All of it goes to standard error, so that what a command prints can be read by programs.
"""

import os
from types import TracebackType
from typing import Never, Self

from django.core.management.base import OutputWrapper
from tqdm import tqdm

COUNTED = "{desc} {percentage:3.0f}%|{bar:24}| {n_fmt}/{total_fmt}, {rate_fmt}, {remaining} left"
UNCOUNTED = "{desc} {n_fmt}, {rate_fmt}, for {elapsed}"
SHARE = "{desc} {percentage:3.0f}%|{bar:24}| {remaining} left"
ALONE = "{desc}, for {elapsed}"
ERASED = "\r\x1b[K"
USUAL_WIDTH = 80


class Bar:
    """One line that fills while something is done, and is taken away when it is: also by Ctrl-C.

    `plain`: whether what is done is told line by line where there is no terminal.
    """

    def __init__(self, out: OutputWrapper, *, plain: bool = False) -> None:
        self._out = out
        self._plain = plain
        self._shown: tqdm[Never] | None = None
        self._doing = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()

    def share(self, doing: str, share: float, of: int = 0, /) -> None:
        """So much of it is done, from 0 to 1; of so many, if they are counted."""
        if of:
            self._show(doing, round(share * of), of, COUNTED)
        else:
            self._show(doing, share, 1.0, SHARE)

    def step(self, doing: str, done: int | None, total: int | None, *, line: str) -> None:
        """So many are done, of so many, as far as is known. `line`: the same, where there is no terminal."""
        if self._out.isatty():
            form = ALONE if done is None else COUNTED if total else UNCOUNTED
            self._show(doing, done or 0, total, form)
        elif self._plain:
            self._out.write(line)

    def _show(self, doing: str, done: float, total: float | None, form: str) -> None:
        if not self._out.isatty():
            return
        shown = self._shown
        begins = shown is None or self._doing != doing or done < shown.n
        if shown is None or begins:
            self.clear()
            shown = self._begin(doing, total, form)
        shown.total = max(total, done) if total is not None else None
        shown.bar_format = form
        shown.update(done - shown.n)
        if begins:
            shown.refresh()  # what was begun in this very moment is else shown as nothing done

    def _begin(self, doing: str, total: float | None, form: str) -> "tqdm[Never]":
        self._doing = doing
        self._shown = tqdm(
            desc=doing,
            total=total,
            bar_format=form,
            file=_AsFile(self._out),
            leave=False,
            mininterval=0.1,
            ncols=_width(self._out),
        )
        return self._shown

    def clear(self) -> None:
        if self._shown is not None:
            self._shown.close()
            self._shown = None
        if self._doing:
            # Also where it was interrupted between the first sign of a bar and its end.
            _AsFile(self._out).write(ERASED)
            self._doing = ""


class _AsFile:
    """Django's wrapper ends each text with a line, which a bar must not."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out = out

    def write(self, text: str) -> None:
        self._out.write(text, ending="", style_func=str)

    def flush(self) -> None:
        self._out.flush()

    def isatty(self) -> bool:
        return True


def _width(out: OutputWrapper) -> int:
    """Some terminals say that they have no columns at all, and would be shown nothing."""
    try:
        return os.get_terminal_size(out.fileno()).columns or USUAL_WIDTH
    except (OSError, ValueError):
        return USUAL_WIDTH
