"""Ids of what OpenAI knows within a project only: both ids in one text, as the rest of Cakewalk keeps it."""


def within(project_id: str, id: str) -> str:
    return f"{project_id}/{id}"


def parted(id: str) -> tuple[str, str]:
    """The project's id, which is empty for what is in none, and the thing's own."""
    project_id, _, own = id.rpartition("/")
    return project_id, own
