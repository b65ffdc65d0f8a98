"""The switches of an organization, as a test sets them and as a command line names them."""

import pytest

from integrations.connectors.openai.simulator import Behaviour
from integrations.connectors.openai.simulator.behaviour import CHOICES


def test_words_become_values_and_the_rest_stays_as_usual():
    words = ["audit_logging=no", "mislabels_project_keys=yes", "key_deletion_refused=400"]
    assert Behaviour.of_words([*words, "keys_of_lost_owners=dead"]) == Behaviour(
        audit_logging=False,
        mislabels_project_keys=True,
        key_deletion_refused=400,
        keys_of_lost_owners="dead",
    )


def test_the_first_choice_of_each_switch_is_the_usual_one():
    assert vars(Behaviour()) == {name: choices[0] for name, choices in CHOICES.items()}


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("boredom=yes", "There is no switch 'boredom'; there are audit_logging, "),
        ("key_deletion_refused=500", "key_deletion_refused is 500; it can be no, 400, 403."),
        ("audit_logging", "audit_logging is ; it can be yes, no."),
    ],
)
def test_what_is_no_switch_is_said(word, reason):
    with pytest.raises(ValueError, match=reason):
        Behaviour.of_words([word])


def test_a_switch_cannot_be_set_to_what_it_is_not():
    behaviour = Behaviour()
    with pytest.raises(ValueError, match="missing_scope_status is 500; it can be 403, 401"):
        behaviour.missing_scope_status = 500
    assert behaviour == Behaviour()
