"""A stand-in for OpenAI's administration API: a stateful organization served over real HTTP."""

from collections.abc import Iterable
from pathlib import Path

from integrations.connectors.openai.simulator.behaviour import Behaviour
from integrations.connectors.openai.simulator.faults import Fault, Kind, load_faults
from integrations.connectors.openai.simulator.limits import RateLimit, TokenBucket
from integrations.connectors.openai.simulator.organization import Organization
from integrations.connectors.openai.simulator.server import Recorded, Simulator

__all__ = [
    "Behaviour",
    "Fault",
    "Kind",
    "Organization",
    "RateLimit",
    "Recorded",
    "Simulator",
    "TokenBucket",
    "serve",
]


def serve(
    *,
    port: int,
    people: int,
    projects: int,
    seed: int,
    state: Path | None,
    faults: Path | None,
    switches: Iterable[str] = (),
) -> Simulator:
    """A running simulator. OSError: a taken port, a file out of reach. ValueError: a bad file or switch."""
    behaviour = Behaviour.of_words(switches)
    if state is None:
        organization = Organization.seeded(people, projects, seed, behaviour=behaviour)
    else:
        organization = Organization.load_or_seed(
            state, people=people, projects=projects, seed=seed, behaviour=behaviour
        )
    return Simulator(organization, port=port, faults=load_faults(faults) if faults else ()).start()
