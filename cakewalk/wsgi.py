"""What a web server runs."""

import os
from importlib import import_module

from django.conf import settings
from django.core.wsgi import get_wsgi_application

from cakewalk import collecting

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cakewalk.settings")
application = get_wsgi_application()
import_module(settings.ROOT_URLCONF)  # with all pages: else whoever comes first would wait for them
collecting.not_among_what_is_there()
