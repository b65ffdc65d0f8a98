"""May this migration run while the version before still serves? Judged by its operations, without a database.

The rules, and what to write in place of what is refused: docs/deploy.md, "Upgrading".
"""

from collections.abc import Iterator
from typing import Any

from django.db import migrations, models
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED

LARGE = frozenset(
    {
        "ledger.entry",
        "provisioning.action",
        "provisioning.account",
        "provisioning.entitlement",
        "provisioning.personchange",
        "provisioning.provisioningjob",
        "directory.person",
        "directory.revision",
        "search.mention",
    }
)
"""Tables that grow with people or with time: what locks one of them stops all work for minutes."""

GONE = (
    migrations.RemoveField,
    migrations.DeleteModel,
    migrations.RenameField,
    migrations.RenameModel,
    migrations.AlterModelTable,
)
LOCKING = (migrations.AddIndex, migrations.AddConstraint)
STATE_ONLY = (migrations.AlterModelOptions, migrations.AlterModelManagers)
CODE = (migrations.RunPython, migrations.RunSQL)


def dangers(migration: migrations.Migration, before: Any) -> list[str]:
    """Sentences. `before`: the state of the models that the version before was written for.

    A migration that knows better says why in `safe_beside_the_old`, in words.
    """
    if getattr(migration, "safe_beside_the_old", ""):
        return []
    judged = Judge(migration.app_label, before)
    told = [sentence for operation in migration.operations for sentence in judged.look_at(operation)]
    if judged.runs_code and judged.changes_known:
        told.append("It changes rows and their table in one transaction: make two migrations of it.")
    return told


class Judge:
    """Looks at one operation after the other; tables that this migration itself makes are nobody's yet."""

    def __init__(self, app: str, before: Any) -> None:
        self._app, self._before = app, before
        self._made: set[str] = set()
        self.runs_code = self.changes_known = False

    def look_at(self, operation: Operation) -> Iterator[str]:
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            for inner in operation.database_operations:
                yield from self.look_at(inner)
        elif isinstance(operation, migrations.CreateModel):
            self._made.add(operation.name_lower)
        elif isinstance(operation, CODE):
            self.runs_code = True
        elif not isinstance(operation, STATE_ONLY):
            model = getattr(operation, "model_name_lower", getattr(operation, "name_lower", ""))
            if model not in self._made:
                self.changes_known = True
                yield from self._of_a_known_table(operation, model)

    def _of_a_known_table(self, operation: Operation, model: str) -> Iterator[str]:
        said = operation.describe()
        if isinstance(operation, GONE):
            yield f"{said}: the version before still asks for it. Let one release pass that does not."
        elif isinstance(operation, migrations.AddField) and refuses_old_rows(operation.field):
            yield f"{said}: the version before adds rows without it. Give it a db_default, or null=True."
        elif isinstance(operation, migrations.AlterField):
            yield from self._altered(operation, model)
        elif isinstance(operation, LOCKING) and f"{self._app}.{model}" in LARGE and self._locks(operation):
            yield f"{said}: nobody could write there meanwhile. Use AddIndexBesideUse."

    def _locks(self, operation: Operation) -> bool:
        return not getattr(operation, "beside_use", False)

    def _altered(self, operation: migrations.AlterField, model: str) -> Iterator[str]:
        was = self._before.models[self._app, model].fields.get(operation.name)
        field, said = operation.field, operation.describe()
        if was is None:
            return
        if was.null and not field.null:
            yield f"{said}: the version before still writes NULL. Let one release pass that does not."
        if type(was) is not type(field):
            yield f"{said}: another type rewrites the table, and the version before may not know it."
        longest, before = getattr(field, "max_length", None), getattr(was, "max_length", None)
        if longest and before and longest < before:
            yield f"{said}: the version before still writes up to {before} characters."


def refuses_old_rows(field: "models.Field[Any, Any]") -> bool:
    """Django fills in a default itself and takes it out of the table again: only db_default stays there."""
    is_column = not field.many_to_many
    return is_column and not field.null and field.db_default is NOT_PROVIDED
