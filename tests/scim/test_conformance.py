"""Checks that others wrote for SCIM servers: the tester's over the protocol, the library's of a storage."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.utils import timezone
from scim2_models import ScimProvider
from scim2_server.testing import ScimStorageContract

from directory.models import Source
from directory.scim.schemas import PROVIDER
from directory.scim.session import Session
from directory.scim.storage import DirectoryStorage
from tests.scim.builders import ScimClient

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection_kept() -> Iterator[None]:
    """A real server closes its connections between requests, which would end the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("connection_kept")
def test_the_tester_finds_nothing_to_complain_of() -> None:
    # To import them takes seconds, which each process of the tests would wait for.
    from scim2_client.engines.wsgi import WSGISCIMClient  # noqa: PLC0415
    from scim2_tester import Status, check_server  # noqa: PLC0415

    okta = ScimClient()
    tested: Any = WSGISCIMClient(
        get_wsgi_application(),
        base_url="http://localhost/scim/v2",
        headers={"Authorization": f"Bearer {okta.token}"},
    )

    results = check_server(tested)

    counts = Counter(result.status for result in results)
    assert [
        (result.title, result.status, result.reason)
        for result in results
        if result.status not in (Status.SUCCESS, Status.COMPLIANT, Status.ACCEPTABLE)
    ] == []
    assert counts.total() >= 135


class TestStorage(ScimStorageContract):
    """Our storage against the library's own evaluator of filters, its sorting and its rules."""

    @pytest.fixture
    def provider(self) -> ScimProvider:
        return PROVIDER

    @pytest.fixture
    def storage(self) -> DirectoryStorage:
        okta = Source.objects.create(name="okta", kind=Source.Kind.SCIM)
        return DirectoryStorage(Session(okta, timezone.now()))
