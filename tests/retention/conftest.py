"""Tests of retention are about the same small company as those of provisioning."""

from tests.provisioning.conftest import world

__all__ = ["world"]
