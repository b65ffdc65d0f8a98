"""Names for simulated organizations: the same seed gives the same people. Pure."""

import random
import unicodedata
from collections.abc import Iterator

# fmt: off
FIRST_NAMES = (
    "Ada", "Amara", "Ana", "Aisha", "Arjun", "Astrid", "Ben", "Bilal", "Camila", "Chen", "Chloe", "Daan",
    "Diego", "Dmitri", "Elif", "Emma", "Fatima", "Felix", "Finn", "Grace", "Hana", "Henrik", "Ines",
    "Isaac", "Ivan", "Jonas", "José", "Kai", "Kwame", "Laila", "Lea", "Liam", "Lucía", "Maja", "Mateo",
    "Mei", "Mila", "Nadia", "Noah", "Olu", "Oscar", "Priya", "Rafael", "Rosa", "Sara", "Sofia", "Søren",
    "Tariq", "Tomás", "Uma", "Viktor", "Wanjiru", "Yara", "Yusuf", "Zoë", "Zuzana",
)
LAST_NAMES = (
    "Abara", "Ahmed", "Almeida", "Andersen", "Bauer", "Becker", "Bianchi", "Byron", "Castillo", "Chaudhary",
    "Costa", "Dubois", "Eriksson", "Fischer", "García", "Haddad", "Hansen", "Hopper", "Ito", "Ivanova",
    "Jansen", "Kaya", "Keller", "Kim", "Kowalski", "Kumar", "Larsen", "Lefèvre", "Lindqvist", "Lopez",
    "Mbeki", "Meyer", "Moreau", "Müller", "Nakamura", "Novák", "Nwosu", "Okafor", "Olsen", "Patel",
    "Pereira", "Petrov", "Rahman", "Ricci", "Rossi", "Sato", "Schmidt", "Silva", "Singh", "Tanaka", "Van",
    "Vega", "Wagner", "Weber", "Yilmaz", "Zhang",
)
DOMAINS = ("example.org", "example.org", "example.org", "labs.example.org", "example.com")
PROJECTS = (
    "Search", "Assistants", "Billing", "Evaluation", "Support", "Translation", "Moderation", "Research",
    "Analytics", "Onboarding", "Voice", "Documents", "Forecasting", "Recommendations", "Playground",
)
# fmt: on


def people(count: int, seed: int) -> Iterator[tuple[str, str]]:
    """Names and addresses, no address twice."""
    chance = random.Random(seed)  # noqa: S311 - names, not secrets
    seen: dict[str, int] = {}
    for _ in range(count):
        name = f"{chance.choice(FIRST_NAMES)} {chance.choice(LAST_NAMES)}"
        local, domain = _plain(name).replace(" ", "."), chance.choice(DOMAINS)
        seen[local] = seen.get(local, 0) + 1
        yield name, f"{local}{seen[local] if seen[local] > 1 else ''}@{domain}"


def project_names(count: int) -> Iterator[str]:
    for number in range(count):
        name, round_ = PROJECTS[number % len(PROJECTS)], number // len(PROJECTS)
        yield f"{name} {round_ + 1}" if round_ else name


def teams(count: int, people: int, seed: int) -> Iterator[list[int]]:
    """For each project the numbers of its people: between a tenth and a third of all."""
    chance = random.Random(seed + 1)  # noqa: S311 - teams, not secrets
    for _ in range(count):
        size = chance.randint(max(1, people // 10), max(1, people // 3))
        yield sorted(chance.sample(range(people), size))


def _plain(name: str) -> str:
    folded = unicodedata.normalize("NFKD", name.lower().replace("ø", "o"))
    return folded.encode("ascii", "ignore").decode()
