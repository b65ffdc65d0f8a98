"""How gunicorn serves Cakewalk, under systemd, in a container and in the rehearsal alike.

What differs from one installation to another goes into GUNICORN_CMD_ARGS, which goes before this file:
`--bind 0.0.0.0:8000 --workers 4`.
"""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from gunicorn.glogging import Logger

bind = "127.0.0.1:8000"

# Pages wait for the database far more than they compute. Two processes, so that one can be lost; in each some
# threads, since the answer to a tried key is told line by line for as long as the remote takes: a worker that
# can do one thing at a time would be killed in the midst of it.
worker_class = "gthread"
workers = 2
threads = 8

# A worker that gives no sign of life for so long is replaced. With threads a slow answer is no silence.
timeout = 30
# After SIGTERM, for answers that are under way. The unit's TimeoutStopSec and compose's stop_grace_period
# are longer.
graceful_timeout = 30

# Whatever a process gathers in memory is given back now and then, never by all of them at once.
max_requests = 10_000
max_requests_jitter = 2_000


def post_fork(server: Any, worker: Any) -> None:
    """By itself gunicorn ends a worker at that number whatever it has in hand: it takes no new requests from
    then on, and an export that lasts longer than graceful_timeout and timeout together is cut off. So it is
    let go on, and ends when it has nothing in hand.
    """
    worker.idle_ends_after, worker.max_requests = worker.max_requests, sys.maxsize


def post_request(worker: Any, req: object, environ: object, resp: object) -> None:
    has_only_this = worker.nr_conns - len(worker.keepalived_conns) == 1
    if worker.nr >= worker.idle_ends_after and has_only_this and worker.alive:
        worker.log.info("Replaced after %s requests, with none in hand.", worker.nr)
        worker.alive = False


# Signs of life go to memory: on a busy disk they would be late.
worker_tmp_dir = "/dev/shm"  # noqa: S108 - a file without a name
# Nobody steers it from outside, and a root file system that is read-only has no place for the socket.
control_socket_disable = True

# By default gunicorn lets a proxy on this machine say below which path Cakewalk is. Ours do not, and what
# they pass on may be a client's.
forwarder_headers = ""

# Requests are told by the application itself, with their ids, and by the proxy; the rest in the same form.
accesslog = None
errorlog = "-"


class AsJson(logging.Formatter):
    """As the application writes its lines. Its code must not be loaded here: a reload would keep it."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class Lines(Logger):  # type: ignore[misc, unused-ignore]
    def setup(self, cfg: object) -> None:
        super().setup(cfg)
        https = os.environ.get("PUBLIC_URL", "").lower().startswith("https://")
        if os.environ.get("LOG_FORMAT", "json" if https else "text").lower() == "json":
            for handler in self.error_log.handlers:
                handler.setFormatter(AsJson())


logger_class = Lines
