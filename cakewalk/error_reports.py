"""What a report of an error may show: on a page with DEBUG, in a log, in an e-mail to administrators.

Django hides what is marked as sensitive only while DEBUG is off. It shows the cookie of a session, by which
anybody is signed in, and passwords that stand in addresses of servers.
"""

import re

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

MORE = r"SESSION|COOKIE|(BROKER|DATABASE|EMAIL|CACHE)_URL"


class Discreet(SafeExceptionReporterFilter):
    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|{MORE}", flags=re.IGNORECASE
    )

    def is_active(self, request: HttpRequest | None) -> bool:
        return True
