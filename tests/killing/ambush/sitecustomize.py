"""Kills its process, and the worker that this belongs to, at one named moment: before or after a call.

On the PYTHONPATH of a child process, Python imports this by itself, and the product needs no hook for it.
AMBUSH is JSON: `call` as `module:Class.name`, `when`, `nth`, `methods` for calls that send a request,
`struck`: a file that is made just before, so that one ambush strikes once; `spare`: a process group.
"""

import importlib
import importlib.abc
import importlib.util
import json
import os
import signal
import sys
from pathlib import Path


class Ambush(importlib.abc.MetaPathFinder):
    def __init__(self, *, call, when, nth, struck, spare, methods=()):
        self.module, _, self.name = call.partition(":")
        self.when, self.nth, self.methods = when, nth, methods
        self.struck, self.spare = Path(struck), spare

    def find_spec(self, name, path, target=None):
        """Lies in wait for the import of the module, and leaves everything else to the others."""
        if name != self.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        sys.meta_path.insert(0, self)  # Django also asks whether there is such a module, and imports it later
        really = spec.loader.exec_module

        def exec_module(module):
            really(module)
            self.lay(module)

        setattr(spec.loader, "exec_module", exec_module)  # noqa: B010 - as a plain assignment, mypy minds it
        return spec

    def lay(self, module):
        owner, _, attribute = self.name.rpartition(".")
        place = getattr(module, owner) if owner else module
        called = getattr(place, attribute)

        def ambushed(*words, **named):
            counts = not self.methods or getattr(words[0], "_method", None) in self.methods
            self.nth -= counts
            now = counts and self.nth == 0
            if now and self.when == "before":
                self.strike()
            result = called(*words, **named)
            if now and self.when == "after":
                self.strike()
            return result

        setattr(place, attribute, ambushed)

    def strike(self):
        if os.getpgrp() == self.spare:
            raise RuntimeError("The worker must have a process group of its own.")
        try:
            self.struck.touch(exist_ok=False)
        except FileExistsError:
            return
        os.killpg(os.getpgrp(), signal.SIGKILL)


if "AMBUSH" in os.environ:
    sys.meta_path.insert(0, Ambush(**json.loads(os.environ["AMBUSH"])))
