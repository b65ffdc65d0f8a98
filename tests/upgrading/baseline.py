"""The newest migration of each app in the oldest version that can be upgraded from beside its use."""

COMMIT = "55cba27a8a0f74bad891992d575f5797361e46da"
"""That version, for whoever wants to run it."""

BASELINE = {
    "alarms": "0002_roles",
    "cakewalk": "0003_recorded_users",
    "directory": "0011_former_emails",
    "evidence": "0002_roles",
    "integrations": "0012_silence",
    "ledger": "0002_guards",
    "provisioning": "0027_reviews",
    "retention": "0003_alarms",
    "reviews": "0002_roles",
    "scim": "0001_initial",
    "search": "0004_saved_searches_have_a_name",
}
