"""What gunicorn itself says, in the form of all other lines: `logger_class` in its configuration."""

import os
from typing import Any

from gunicorn.glogging import Logger

from cakewalk.logs.formatting import AsJson, AsText


class Lines(Logger):  # type: ignore[misc]
    def setup(self, cfg: Any) -> None:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cakewalk.settings")
        from django.conf import settings  # noqa: PLC0415 - not before it is known where they are

        super().setup(cfg)
        for handler in [*self.error_log.handlers, *self.access_log.handlers]:
            handler.setFormatter(AsJson() if settings.LOG_FORMAT == "json" else AsText())
