"""The company behind the admin, and a client for each role."""

from tests.admin.conftest import clients, company

__all__ = ["clients", "company"]
