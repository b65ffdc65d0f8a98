"""Every command, by whose word it acts: a user's, who must be permitted, or that of whoever has a shell."""

from tests.admin.roles import APPROVERS, OPERATORS

BY_A_USER = {
    "approve": APPROVERS,
    "cancel": OPERATORS,
    "reject": APPROVERS,
    "release": OPERATORS,
    "restore": OPERATORS,
}
"""Those with `--by USER`, who is refused unless a role of theirs allows it."""

FROM_A_SHELL = frozenset(
    {
        "after_restore",
        "alarms",
        "configure",
        "connect",
        "evidence",
        "export_rules",
        "history",
        "ignore",
        "import_people",
        "import_rules",
        "job",
        "jobs",
        "new_password",
        "protect",
        "pull_source",
        "rekey",
        "reviews",
        "rotate_credential",
        "scim_source",
        "serve",
        "simulate",
        "sync",
        "unlock",
        "unmark",
    }
)
"""Those for whoever may read FERNET_KEYS and the database, and so may do everything anyway."""
