"""The settings of a test run: its own secrets, and nothing of this machine's `.env`.

Imported before Django reads its settings. DATABASE_URL is taken from the process alone, so that a test run
can be told to use PostgreSQL.
"""

import base64
import os
import secrets

OF_A_DEVELOPER = (
    "OPENAI_ADMIN_KEY",
    "OPENAI_BASE_URL",
    "CONNECTOR_ALLOWED_HOSTS",
    "DJANGO_DEBUG",
    "EMAIL_URL",
    "LOCAL_PASSWORDS",
    "OIDC_CLIENT_SECRET",
    "OIDC_ISSUER",
    "OIDC_ROLES",
    "SECOND_FACTOR",
    "HSTS_INCLUDE_SUBDOMAINS",
    "HSTS_SECONDS",
    "LDAP_ALLOWED_HOSTS",
    "LEDGER_CHECKPOINTS",
    "LEDGER_KEY",
    "LEDGER_PUBLIC_KEYS",
    "LOG_FORMAT",
    "LOG_LEVEL",
    "METRICS_ALLOWED",
    "METRICS_TOKEN",
    "PUBLIC_URL",
    "RETENTION_FOLDER",
    "SECURE_PROXY_SSL_HEADER",
    "SECURE_SSL_REDIRECT",
    "TRUSTED_PROXIES",
    "WEBHOOK_ALLOWED_HOSTS",
)
"""What could make a test speak to a real organization, or behave differently on one machine."""


def new_fernet_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode("ascii")


def prepare() -> None:
    for name in OF_A_DEVELOPER:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ["ENV_FILE"] = os.devnull
    os.environ["DJANGO_SETTINGS_MODULE"] = "cakewalk.settings"
    os.environ["DJANGO_SECRET_KEY"] = secrets.token_urlsafe(50)
    os.environ["FERNET_KEYS"] = new_fernet_key()
    os.environ.setdefault("DATABASE_URL", "sqlite://:memory:")
    # Nobody takes messages in a test's process. The installations of the `stack` fixture have a real broker.
    os.environ["CELERY_BROKER_URL"] = "memory://"
