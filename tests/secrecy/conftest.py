"""The company of the tests of jobs."""

from tests.provisioning.conftest import world

__all__ = ["world"]
