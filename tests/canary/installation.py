"""An installation in which everything talks: DEBUG logs with the variables of frames, e-mails to admins."""

import os
import signal
from pathlib import Path

from tests.stack.installation import ThreeProcesses, eventually, free_port

SETTINGS = '''
"""Everything that could give a secret away, switched on."""

import logging
import os
import traceback

from cakewalk.settings import *  # noqa: F403

class WithLocals(logging.Formatter):
    def formatException(self, error):
        return "".join(traceback.TracebackException(*error, capture_locals=True).format())

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": WithLocals, "format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "line"},
        "admins": {"class": "django.utils.log.AdminEmailHandler", "level": "ERROR", "include_html": True},
    },
    "root": {"handlers": ["console", "admins"], "level": "DEBUG"},
    "loggers": {"django.template": {"level": "INFO"}},
}
ADMINS = [("Admin", "admin@example.org")]
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = BASE_DIR / "mails"
ROOT_URLCONF = "canary_urls"
if os.environ.get("CANARY_BREAKS"):
    from urllib3.connectionpool import HTTPConnectionPool
    HTTPConnectionPool._make_request = None
'''
URLS = '''
from django.urls import include, path


def planted(request):
    """A view as it must not be written."""
    from integrations.models import Credential
    key = Credential.objects.order_by("pk").first().secret.reveal()
    return undefined_name(key)


urlpatterns = [path("planted/", planted), path("", include("cakewalk.urls"))]
'''


PATIENCE = 300.0


class Talkative(ThreeProcesses):
    def __init__(self, folder: Path, **settings: str) -> None:
        super().__init__(folder, **settings, DJANGO_SETTINGS_MODULE="canary_settings")
        (folder / "canary_settings.py").write_text(SETTINGS)
        (folder / "canary_urls.py").write_text(URLS)
        self.said: list[str] = []

    def run(self, *words: str, status: int = 0, stdin: str = "", seconds: float = PATIENCE) -> str:
        return super().run(*words, status=status, stdin=stdin, seconds=seconds)

    def launch_worker(self) -> None:
        words = ("-m", "celery", "-A", "cakewalk", "worker", "--loglevel", "DEBUG", "--concurrency")
        self.launch("worker", *words, str(self.at_once))

    def launch_clock(self) -> None:
        self.launch("clock", "-m", "celery", "-A", "cakewalk", "beat", "--loglevel", "DEBUG")

    def told(self, *words: str, stdin: str = "", status: int = 0) -> str:
        """A command's standard output; all that it printed is kept for the search."""
        done = self.manage(*words, status=status, stdin=stdin, seconds=PATIENCE)
        self.said.append(f"$ {' '.join(words)}\n{done.stderr}")
        return done.stdout

    def another_web_server(self, name: str, **settings: str) -> str:
        """Its address."""
        port, usual = free_port(), self._environment
        self._environment = usual | settings
        self.launch(name, "-m", "gunicorn", "cakewalk.wsgi", "--bind", f"127.0.0.1:{port}")
        self._environment = usual
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: f"Listening at: {url}" in self.log(name), PATIENCE, name)
        return url

    def broken_worker(self) -> None:
        """In place of the one that works."""
        self.kill("worker")
        usual = self._environment
        self._environment = usual | {"CANARY_BREAKS": "1"}
        self.launch_worker()
        self._environment = usual

    def pause_worker(self) -> None:
        os.killpg(self.processes["worker"].pid, signal.SIGSTOP)

    def go_on_with_worker(self) -> None:
        os.killpg(self.processes["worker"].pid, signal.SIGCONT)
