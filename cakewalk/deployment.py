"""What `manage.py check --deploy` says of an installation that Django does not know.

A warning is what must not stay so in production; what may be meant so is told as information.
"""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info, Tags, Warning, register

from cakewalk.addresses import is_loopback

WITHOUT_TLS = (
    "{} go to another machine without encryption.",
    "Choose an address that begins with {}, or keep both on one machine or in one private network.",
)


@register(Tags.security, deploy=True)
def check_deployment(**_: Any) -> list[CheckMessage]:
    return [*_in_the_open(), *_behind_a_proxy(), *_in_one_process(), *_of_the_ledger()]


def _in_the_open() -> Iterator[CheckMessage]:
    if not settings.HTTPS:
        yield Warning(
            "PUBLIC_URL does not begin with https://, so nothing is as in production.",
            hint="Set PUBLIC_URL to the address by which staff reach Cakewalk.",
            id="cakewalk.W010",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield Warning(
            "ALLOWED_HOSTS takes any name, so that links can be made to lead elsewhere.",
            hint="Leave it out: the host of PUBLIC_URL is always allowed.",
            id="cakewalk.W011",
        )
    encrypted = getattr(settings, "EMAIL_USE_TLS", False) or getattr(settings, "EMAIL_USE_SSL", False)
    if settings.EMAIL_HOST and not encrypted and not is_loopback(settings.EMAIL_HOST):
        said, hint = WITHOUT_TLS
        yield Warning(
            said.format("E-mails"), hint=hint.format("smtp+tls:// or smtp+ssl://"), id="cakewalk.W012"
        )


def _behind_a_proxy() -> Iterator[CheckMessage]:
    if settings.SECURE_PROXY_SSL_HEADER and not settings.TRUSTED_PROXIES:
        yield Warning(
            "TRUSTED_PROXIES names no proxy, so the header that SECURE_PROXY_SSL_HEADER names is believed of "
            "anybody, and the ledger has the proxy's address for each client's.",
            hint="Name the proxy's address, such as 127.0.0.1.",
            id="cakewalk.W013",
        )


def _in_one_process() -> Iterator[CheckMessage]:
    """`manage.py serve` needs neither Redis nor PostgreSQL, and may well stand behind a proxy."""
    if settings.CELERY_BROKER_URL.startswith("memory:"):
        yield Info(
            "CELERY_BROKER_URL is memory://, which reaches no worker in another process.",
            hint="That is right for `manage.py serve` alone. Else name a Redis.",
            id="cakewalk.I010",
        )
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        yield Info(
            "The database is SQLite, in which one process writes at a time.",
            hint="That is right for `manage.py serve` alone. Else name a PostgreSQL.",
            id="cakewalk.I011",
        )


def _of_the_ledger() -> Iterator[CheckMessage]:
    if not settings.LEDGER_KEY:
        yield Warning(
            "LEDGER_KEY is not set: no checkpoints are signed, and entries could be lost from the ledger's "
            "end unnoticed.",
            hint="`manage.py history key` makes one; docs/ledger.md tells where it is kept.",
            id="cakewalk.W014",
        )
