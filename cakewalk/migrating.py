"""Operations of migrations that run while the version before still serves (docs/deploy.md, "Upgrading")."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


class AddIndexBesideUse(migrations.AddIndex):
    """PostgreSQL builds it while rows are written; its migration needs `atomic = False`, and nothing else.

    Where the build was broken off an invalid index stays, which the next try takes away first.
    """

    beside_use = True
    atomic = False

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        editor: Any = schema_editor  # PostgreSQL's own, which knows how
        if self.allow_migrate_model(editor.connection.alias, model):
            editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {editor.quote_name(self.index.name)}")
            editor.add_index(model, self.index, concurrently=True)
