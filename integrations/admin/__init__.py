"""Staff pages of integrations: the catalog, connecting, and each integration's own page."""

from integrations.admin.integration import IntegrationAdmin

__all__ = ["IntegrationAdmin"]
