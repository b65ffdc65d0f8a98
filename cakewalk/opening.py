"""The one way to the text of a stored secret: whoever needs it says what for, and the ledger keeps both.

`Secret.reveal()` is called nowhere else, which tests/secrecy/test_openings.py sees to.
"""

from django.db import models
from django.views.decorators.debug import sensitive_variables

from cakewalk.encryption import Secret
from cakewalk.ledger.recording import record
from cakewalk.ledger.verbs import Verb


@sensitive_variables()
def opened(*secrets: Secret, of: models.Model, use: str) -> tuple[str, ...]:
    """Written down before it is opened: once for each use, however many calls are made with it. `of`: the row
    in whose history it stands.
    """
    record(Verb.CREDENTIAL_READ, of, facts={"use": use})
    return tuple(secret.reveal() for secret in secrets)
