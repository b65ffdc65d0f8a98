"""Which account is whose."""

import time

from hypothesis import given
from hypothesis import strategies as st

from provisioning.matching import Ambiguous, Leftover, Linked, Links, Orphan, Unprovisioned, match
from tests.effort import cases
from tests.provisioning.builders import invite, lapsed, member, person


def test_an_account_belongs_to_whoever_has_its_address_whatever_the_case():
    ada, account = person("Ada@Example.org"), member("ada@EXAMPLE.org")
    assert match([ada], [account], Links()) == [Linked(ada, account)]


def test_unicode_and_idna_spellings_of_one_address_are_one_address():
    zoe, account = person("zoe\u0308@bu\u0308cher.example"), member("zoë@xn--bcher-kva.example")
    assert match([zoe], [account], Links()) == [Linked(zoe, account)]


def test_an_alias_matches_like_the_primary_address():
    ada, account = person("ada@x.org", "countess@x.org"), member("countess@x.org")
    assert match([ada], [account], Links()) == [Linked(ada, account)]


def test_a_stored_match_survives_a_change_of_address():
    ada, account = person("ada.king@x.org", id=1), member("ada@x.org")
    assert match([ada], [account], Links(found={account.id: 1})) == [Linked(ada, account)]


def test_a_link_by_hand_is_stronger_than_an_address():
    ada, bob, account = person("ada@x.org", id=1), person("bob@x.org", id=2), member("bob@x.org")
    found = match([ada, bob], [account], Links(by_hand={account.id: 1}))
    assert found == [Linked(ada, account), Unprovisioned(bob)]


def test_a_stored_match_whose_address_now_names_another_person_is_not_guessed():
    ada, bob, account = person("ada@x.org", id=1), person("bob@x.org", id=2), member("bob@x.org")
    assert match([ada, bob], [account], Links(found={account.id: 1})) == [Ambiguous((ada, bob), (account,))]


def test_two_accounts_of_one_person_are_not_guessed():
    ada = person("ada@x.org", "countess@x.org")
    one, other = member("ada@x.org"), member("countess@x.org")
    assert match([ada], [one, other], Links()) == [Ambiguous((ada,), (one, other))]


def test_nobodys_account_is_an_orphan_and_a_person_without_one_is_unprovisioned():
    ada, account = person("ada@x.org"), member("eve@x.org")
    assert match([ada], [account], Links()) == [Unprovisioned(ada), Orphan(account)]


def test_an_account_without_an_address_is_an_orphan_unless_it_is_known():
    ada, account = person("ada@x.org", id=1), member(None, id="user-1")
    assert match([ada], [account], Links()) == [Unprovisioned(ada), Orphan(account)]
    assert match([ada], [account], Links(found={"user-1": 1})) == [Linked(ada, account)]


def test_a_service_account_is_nobodys_even_with_a_persons_address():
    ada, robot = person("ada@x.org"), member("ada@x.org", is_service=True)
    assert match([ada], [robot], Links()) == [Unprovisioned(ada), Orphan(robot)]


def test_a_lapsed_invite_to_an_alias_gives_way_to_the_member():
    """Or else the pair would be ambiguous for ever, and nobody would take the leaver's access."""
    ada = person("ada@x.org", "countess@x.org")
    account, old = member("ada@x.org"), lapsed("countess@x.org")
    assert match([ada], [old, account], Links()) == [Linked(ada, account), Leftover(ada, old)]


def test_a_lapsed_invite_alone_is_its_persons_account():
    ada, old = person("ada@x.org"), lapsed("ada@x.org")
    assert match([ada], [old], Links()) == [Linked(ada, old)]


def test_a_member_whose_person_left_the_directory_for_good_is_an_orphan():
    account = member("ada@x.org")
    assert match([], [account], Links(found={account.id: 99})) == [Orphan(account)]


addresses = st.sampled_from([f"{name}@x.org" for name in "abcdef"])


@cases(100, 20_000)
@given(
    st.lists(st.lists(addresses, min_size=1, max_size=2, unique=True), max_size=5),
    st.lists(st.tuples(addresses, st.booleans()), max_size=6),
    st.dictionaries(st.integers(0, 5), st.integers(1, 5), max_size=4),
)
def test_everyone_and_everything_is_in_exactly_one_match(keys, remote, found):
    people = [person(*some, id=place) for place, some in enumerate(keys, start=1)]
    accounts = [
        member(email, id=f"user-{place}") if joined else (lapsed if place % 2 else invite)(email)
        for place, (email, joined) in enumerate(remote)
    ]
    accounts = list({account.id: account for account in accounts}.values())
    matches = match(people, accounts, Links(found={f"user-{place}": id for place, id in found.items()}))
    seen_people = [
        who.id for m in matches for who in getattr(m, "people", [getattr(m, "person", None)]) if who
    ]
    seen_accounts = [
        what.id for m in matches for what in getattr(m, "accounts", [getattr(m, "account", None)]) if what
    ]
    assert sorted(seen_people) == sorted(person.id for person in people)
    assert sorted(seen_accounts) == sorted(account.id for account in accounts)


def test_matching_is_linear():
    people = [person(f"p{place}@x.org", id=place) for place in range(1, 40_001)]
    accounts = [member(f"p{place}@x.org", id=f"user-{place}") for place in range(1, 40_001)]
    started = time.process_time()
    matches = match(people, accounts, Links())
    assert len(matches) == 40_000
    assert time.process_time() - started < 4
