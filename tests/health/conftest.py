"""What is counted is done in the same small company as the tests of provisioning have."""

from tests.provisioning.conftest import world

__all__ = ["world"]
