"""Django's settings, read from the environment. docs/settings.md explains each name."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from cakewalk import environment, look, security

BASE_DIR = Path(__file__).resolve().parent.parent
environment.load("ENV_FILE", BASE_DIR / ".env")

SECRET_KEY = environment.signing_key("DJANGO_SECRET_KEY")
DEBUG = environment.boolean("DJANGO_DEBUG", False)
PORT = environment.port("PORT", 8000)
FERNET_KEYS = environment.fernet_keys("FERNET_KEYS")

PUBLIC_URL = environment.address("PUBLIC_URL")
HTTPS = PUBLIC_URL.lower().startswith("https://")
"""Whether this is for production: then nothing goes over the wire unencrypted, nor to private addresses."""

ALLOWED_HOSTS = environment.hosts("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"], of=PUBLIC_URL)
CSRF_TRUSTED_ORIGINS = environment.origins("CSRF_TRUSTED_ORIGINS", of=PUBLIC_URL if HTTPS else "")
TRUSTED_PROXIES = environment.networks("TRUSTED_PROXIES")
SECURE_PROXY_SSL_HEADER = environment.proxy_header("SECURE_PROXY_SSL_HEADER")
# Without a header that tells of it, a redirect to https:// may come back as it went, for ever.
SECURE_SSL_REDIRECT = environment.boolean("SECURE_SSL_REDIRECT", HTTPS and bool(SECURE_PROXY_SSL_HEADER))
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$"]  # asked on the machine itself, without the proxy
SECURE_HSTS_SECONDS = environment.number("HSTS_SECONDS", 365 * 24 * 60 * 60) * HTTPS
SECURE_HSTS_INCLUDE_SUBDOMAINS = environment.boolean("HSTS_INCLUDE_SUBDOMAINS", False)
SILENCED_SYSTEM_CHECKS = [
    "security.W005",  # HSTS for all hosts below: there may be others, which only their owner knows
    "security.W021",  # HSTS in the lists of browsers: it cannot be taken back, and is for whole domains
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
if HTTPS:
    # Browsers take these names only with Secure, for this host alone, and from nobody else: not from a
    # neighbour below the same domain, and not from whoever answers on plain HTTP.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
CSRF_COOKIE_HTTPONLY = True  # forms bring the token, and no script reads it

INSTALLED_APPS = [
    "cakewalk",  # before the theme, whose home page ours replaces
    "cakewalk.ledger",
    "cakewalk.health",
    "cakewalk.signing_in",
    "axes",
    "csp",
    "unfold.apps.BasicAppConfig",  # its other one would put its own admin site in place of ours
    "unfold.contrib.filters",
    "cakewalk.admin_config.OurAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "directory",
    "directory.scim",
    "integrations",
    "provisioning",
    "provisioning.alarms",
    "provisioning.retention",
    "provisioning.evidence",
    "provisioning.search",
    "provisioning.reviews",
]
MIDDLEWARE = [
    "cakewalk.logs.requests.for_each_request",
    "cakewalk.proxies.for_the_client",  # first: what follows takes REMOTE_ADDR for the client's
    "cakewalk.security.PolicyMiddleware",  # before whatever answers
    "cakewalk.proxies.for_the_scheme",
    "django.middleware.security.SecurityMiddleware",
    "cakewalk.health.probes.answer_probes",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "cakewalk.signing_in.sessions.within_limits",
    "django.middleware.common.CommonMiddleware",
    "cakewalk.limits.LargestBody",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "cakewalk.ledger.actors.for_the_requester",
    "cakewalk.viewer.for_the_viewer",
    "cakewalk.signing_in.entering.set_up_first",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",  # answers in place of a page that somebody is shut out from
]
ROOT_URLCONF = "cakewalk.urls"
WSGI_APPLICATION = "cakewalk.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

VAR_DIR = environment.folder("VAR_DIR", BASE_DIR / "var")
"""What the installation keeps beside its code: the SQLite database, the simulator's state."""

VAR_DIR.mkdir(exist_ok=True)
DATABASES = {"default": environment.database("DATABASE_URL", f"sqlite:///{VAR_DIR}/cakewalk.sqlite3")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # Without IMMEDIATE and WAL, a web server and a worker in one process meet "database is locked". An import
    # of 100,000 people writes for some ten seconds, on a busy machine far longer, and all others wait for it.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 60,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
AUTH_USER_MODEL = "cakewalk.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "cakewalk.signing_in.recorded.RecordedLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DEFAULT_EXCEPTION_REPORTER_FILTER = "cakewalk.error_reports.Discreet"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: who is shut out is not even tried
    "cakewalk.signing_in.passwords.PasswordBackend",
    "cakewalk.signing_in.oidc.backend.OidcBackend",
    "integrations.permitting.OnIntegrations",  # lets nobody in; tells who may do what where
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"

DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
"""Of a request, files and all, but for those named here by their view. None: the view has its own limit."""
LARGEST_BODIES = {
    "admin:directory_person_import_people": 32 * 1024 * 1024,
    "cakewalk.urls.scim": None,
    "key": 64 * 1024,
}
# Signing in: throttled by axes, for so long, and asked again before what matters most.
SESSION_IDLE_SECONDS = 60 * environment.number_between("SESSION_IDLE_MINUTES", 60, least=5, most=1440)
SESSION_SECONDS = 3600 * environment.number_between("SESSION_HOURS", 12, least=1, most=168)
REAUTHENTICATE_SECONDS = 60 * environment.number_between("REAUTHENTICATE_MINUTES", 15, least=1, most=1440)
SESSION_COOKIE_AGE = (
    SESSION_IDLE_SECONDS  # of those who are not signed in; of others see signing_in/sessions.py
)
SECOND_FACTOR = environment.choice("SECOND_FACTOR", ("optional", "required"), "optional")
OIDC_ISSUER = environment.issuer("OIDC_ISSUER")
OIDC_CLIENT_ID = environment.needed_with("OIDC_CLIENT_ID", OIDC_ISSUER)
OIDC_CLIENT_SECRET = environment.secret("OIDC_CLIENT_SECRET", None if OIDC_ISSUER else "")
OIDC_ROLES = environment.pairs("OIDC_ROLES")
OIDC_NAME = environment.text("OIDC_NAME", "Single sign-on")
OIDC_USERNAME_CLAIM = environment.text("OIDC_USERNAME_CLAIM", "preferred_username")
OIDC_GROUPS_CLAIM = environment.text("OIDC_GROUPS_CLAIM", "groups")
OIDC_SCOPES = environment.text("OIDC_SCOPES", "openid email profile")
OIDC_SIGNING_ALGORITHM = environment.choice("OIDC_SIGNING_ALGORITHM", ("RS256", "ES256"), "RS256")
LOCAL_PASSWORDS = environment.boolean("LOCAL_PASSWORDS", True)
environment.somebody_can_sign_in(
    "LOCAL_PASSWORDS", passwords=LOCAL_PASSWORDS, issuer=OIDC_ISSUER, roles=OIDC_ROLES
)
AXES_HANDLER = "cakewalk.signing_in.throttle.Handler"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"], ["ip_address"]]
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_CALLABLE = "cakewalk.signing_in.throttle.name_of"
AXES_CLIENT_IP_CALLABLE = "cakewalk.signing_in.throttle.address_of"
AXES_LOCKOUT_CALLABLE = "cakewalk.signing_in.throttle.refusal"
AXES_DISABLE_ACCESS_LOG = True  # the ledger tells it
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

CONTENT_SECURITY_POLICY = {"DIRECTIVES": security.STRICTEST}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch")]
LOCALE_PATHS = [BASE_DIR / "cakewalk" / "locale"]
TIME_ZONE = environment.time_zone("TIME_ZONE", "UTC")
USE_TZ = True
FORMAT_MODULE_PATH = "cakewalk.formats"
UNFOLD = look.UNFOLD
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True  # serves static files from where they are; collectstatic is not needed

METRICS_TOKEN = environment.secret("METRICS_TOKEN", "")
METRICS_ALLOWED = environment.networks("METRICS_ALLOWED")

LOG_FORMAT = environment.choice("LOG_FORMAT", ("json", "text"), "json" if HTTPS else "text")
LOG_LEVEL = environment.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "json": {"()": "cakewalk.logs.formatting.AsJson"},
        "text": {"()": "cakewalk.logs.formatting.AsText"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    # What libraries say for their own makers is read only by who looks for a fault.
    "root": {"handlers": ["console"], "level": "DEBUG" if LOG_LEVEL == "DEBUG" else "WARNING"},
    "loggers": {
        **{ours: {"level": LOG_LEVEL} for ours in ("cakewalk", "directory", "integrations", "provisioning")},
        # A line for each request and each change is for machines: on a terminal they would bury
        # all others.
        **{
            many: {"level": "WARNING" if (LOG_FORMAT, LOG_LEVEL) == ("text", "INFO") else LOG_LEVEL}
            for many in ("cakewalk.logs.requests", "integrations.connectors.http")
        },
        # Whoever asks by another name is answered with 400; a traceback for each would let them fill the log.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "axes": {"level": "ERROR"},  # it warns of every failure, which the ledger tells
        "kombu.connection": {"level": "ERROR"},  # it warns that memory:// names no host
    },
}

CELERY_BROKER_URL = environment.broker("CELERY_BROKER_URL", "memory://")
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
# A worker that has a message in hand when Redis goes away stumbles over giving it back, and ends. So messages
# are fetched when there is a hand free, and acknowledged at once; a job outlives its message anyway.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # for as long as Redis is away
CELERY_TIMEZONE = "UTC"
# Whoever may write messages wakes workers up and does nothing more: no order stops one, no pickle is opened.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_ACCEPT_CONTENT = ["json"]
# A worker serves both queues, unless its -Q says which one.
CELERY_TASK_QUEUES: dict[str, dict[str, str]] = {"celery": {}, "people": {}}
CELERY_TASK_ROUTES = {
    "provisioning.tasks.run_people_job": {"queue": "people"},
    "provisioning.tasks.start_people_jobs": {"queue": "people"},
    "provisioning.tasks.go_on_with_upload": {"queue": "people"},  # somebody looks on
    "provisioning.reviews.tasks.go_on_with_review": {"queue": "people"},  # here, too
    # Operators must hear of it when every other hand is stuck.
    "provisioning.alarms.tasks.look_for_trouble": {"queue": "people"},
    "provisioning.alarms.tasks.look_for_trouble_of": {"queue": "people"},
    "provisioning.alarms.tasks.send_messages": {"queue": "people"},
}
if CELERY_BROKER_URL.startswith("memory:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.05}
else:
    CELERY_WORKER_DISABLE_PREFETCH = True
# The clock ticks as below; when each integration's next sync is due is in the database.
CELERY_BEAT_SCHEDULER = "cakewalk.health.beating:Clock"
CELERY_BEAT_SCHEDULE: dict[str, dict[str, Any]] = {
    "start due syncs": {"task": "provisioning.tasks.start_due_syncs", "schedule": 15.0},
    "start people jobs": {"task": "provisioning.tasks.start_people_jobs", "schedule": 15.0},
    "pick up lost jobs": {"task": "provisioning.tasks.pick_up_lost_jobs", "schedule": 15.0},
    "go on with rotations": {"task": "provisioning.tasks.go_on_with_rotations", "schedule": 30.0},
    "notice passed dates": {"task": "provisioning.tasks.notice_passed_dates", "schedule": 30.0},
    "pick up uploads": {"task": "provisioning.tasks.pick_up_uploads", "schedule": 15.0},
    "look after the record": {"task": "provisioning.tasks.look_after_the_record", "schedule": 3600.0},
    "look for trouble": {"task": "provisioning.alarms.tasks.look_for_trouble", "schedule": 60.0},
    "send messages": {"task": "provisioning.alarms.tasks.send_messages", "schedule": 15.0},
    "pick up evidence packs": {"task": "provisioning.evidence.tasks.pick_up_packs", "schedule": 15.0},
    "tally": {"task": "provisioning.tasks.tally", "schedule": 60.0},
    "start due pulls": {"task": "provisioning.tasks.start_due_pulls", "schedule": 15.0},
    "prune by retention": {"task": "provisioning.retention.tasks.prune_by_retention", "schedule": 3600.0},
    "pick up reviews": {"task": "provisioning.reviews.tasks.pick_up_reviews", "schedule": 15.0},
    "go on with reviews": {"task": "provisioning.reviews.tasks.go_on_with_reviews", "schedule": 30.0},
}

for tick in CELERY_BEAT_SCHEDULE.values():
    # After an outage of the workers nobody does an hour of them one after the other.
    if tick["schedule"] < 600:
        tick["options"] = {"expires": 600.0}

LEDGER_KEY = environment.ledger_key("LEDGER_KEY")
LEDGER_PUBLIC_KEYS = environment.public_keys("LEDGER_PUBLIC_KEYS")
LEDGER_CHECKPOINTS = environment.folder("LEDGER_CHECKPOINTS", VAR_DIR / "checkpoints")

OPENAI_ADMIN_KEY = environment.secret("OPENAI_ADMIN_KEY", "")
OPENAI_BASE_URL = environment.address("OPENAI_BASE_URL")
CONNECTOR_ALLOWED_HOSTS = environment.hosts("CONNECTOR_ALLOWED_HOSTS")

WEBHOOK_ALLOWED_HOSTS = environment.hosts(
    "WEBHOOK_ALLOWED_HOSTS", [] if HTTPS else ["localhost", "127.0.0.1", "[::1]"]
)

LDAP_ALLOWED_HOSTS = environment.hosts("LDAP_ALLOWED_HOSTS")

vars().update(environment.mail("EMAIL_URL"))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = environment.sender("DEFAULT_FROM_EMAIL", "cakewalk@localhost")

RETENTION_FOLDER = environment.folder_of_files("RETENTION_FOLDER")
