"""Triggers by which the database itself refuses to change the ledger, whoever asks.

They stop mistakes and ordinary rights. Whoever owns the database can drop them: that is what the chain and
its checkpoints are for.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

ENTRY, PRUNING = "ledger_entry", "ledger_pruning"
REFUSAL = "The ledger can be appended, and nothing in it changed."

_ORDER = f"NEW.seq <> 1 + COALESCE((SELECT MAX(seq) FROM {ENTRY}), NEW.seq - 1)"  # noqa: S608 - no input
"""An entry goes to the end. Into an empty table goes any, as after pruning everything."""
_KEPT = f"NOT EXISTS (SELECT 1 FROM {PRUNING} WHERE seq >= OLD.seq)"  # noqa: S608 - no input
"""Unless pruning has written down that it goes, and where the chain stood."""

TRIGGERS = {
    "ledger_entry_appended": (ENTRY, "INSERT", _ORDER),
    "ledger_entry_unchanged": (ENTRY, "UPDATE", ""),
    "ledger_entry_kept": (ENTRY, "DELETE", _KEPT),
    "ledger_entry_not_emptied": (ENTRY, "TRUNCATE", ""),
    "ledger_pruning_unchanged": (PRUNING, "UPDATE", ""),
    "ledger_pruning_kept": (PRUNING, "DELETE", ""),
    "ledger_pruning_not_emptied": (PRUNING, "TRUNCATE", ""),
}
"""On which table, before what, and when only: each refuses."""


def install(connection: BaseDatabaseWrapper) -> None:
    written = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    with connection.cursor() as cursor:
        for name, (table, event, when) in TRIGGERS.items():
            for statement in written(name, table, event, when):
                cursor.execute(statement)


def remove(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for name, (table, _event, _when) in TRIGGERS.items():
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def _on_postgresql(name: str, table: str, event: str, when: str) -> list[str]:
    """Conditions with a query of their own belong into a function there."""
    refuse = f"RAISE EXCEPTION '{REFUSAL}';"
    body = f"IF {when} THEN {refuse} END IF;" if when else refuse
    goes_on = "RETURN OLD;" if event == "DELETE" else "RETURN NEW;"
    each = "STATEMENT" if event == "TRUNCATE" else "ROW"
    return [
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN {body} {goes_on} END; $$",
        f"CREATE TRIGGER {name} BEFORE {event} ON {table} FOR EACH {each} EXECUTE FUNCTION {name}()",
    ]


def _on_sqlite(name: str, table: str, event: str, when: str) -> list[str]:
    if event == "TRUNCATE":  # which it does not know
        return []
    only = f" WHEN {when}" if when else ""
    refuse = f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
    return [f"CREATE TRIGGER {name} BEFORE {event} ON {table}{only} {refuse}"]
