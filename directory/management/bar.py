"""How far a command has come: a bar on a terminal, and nothing where nobody looks."""

from django.core.management.base import OutputWrapper

WIDTH = 30
BACK = "\r\x1b[K"


class Bar:
    """A line that fills, and is taken away when the command has something to say."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out = out
        self._shown = ""

    def __call__(self, doing: str, share: float) -> None:
        full = round(share * WIDTH)
        line = f"{doing:<28} [{'#' * full}{'.' * (WIDTH - full)}] {share:4.0%}"
        if line != self._shown and self._out.isatty():
            self._put(f"{BACK}{line}")
            self._shown = line

    def clear(self) -> None:
        if self._shown:
            self._put(BACK)
            self._shown = ""

    def _put(self, text: str) -> None:
        self._out.write(text, ending="", style_func=str)
        self._out.flush()
