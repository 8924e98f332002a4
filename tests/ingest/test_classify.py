"""Kind, layer and importance where the author gave none."""

import pytest

from memem.ingest.classify import MOST_AUTOMATIC_IDENTITY, classify
from memem.models import KINDS, Draft


def classified(content, identity_notes=0, **fields):
    return classify(Draft(content=content, **fields), identity_notes)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("TODO: rename the shop module", "todo"),
        ("The release is blocked by the audit", "blocker"),
        ("The user prefers short answers", "preference"),
        ("Post-mortem: the migration broke production", "failure"),
        ("The root cause was a stale cache key", "fix"),
        ("Workaround: restart the emulator, it hangs on boot", "quirk"),
        ("We decided on SQLite because it needs no server", "decision"),
        ("Use RS256 because keys rotate", "decision"),
        ("Redis listens on 6380", "environment"),
        ("Always run the linter before a commit", "convention"),
        ("To deploy the shop run make deploy", "procedure"),
        ("The logo is blue", "fact"),
    ],
)
def test_the_wording_tells_the_kind(content, kind):
    assert classified(content).kind == kind
    assert kind in KINDS


def test_what_the_author_chose_stays():
    draft = classified("Always use tabs because we decided so", kind="idea", layer=3, importance=1)
    assert (draft.kind, draft.layer, draft.importance) == ("idea", 3, 1)


def test_identity_is_pinned_until_there_is_enough_of_it():
    content = "This project is a monorepo of the shop and its API"
    assert classified(content).layer == 0
    assert classified(content, MOST_AUTOMATIC_IDENTITY - 1).layer == 0
    assert classified(content, MOST_AUTOMATIC_IDENTITY).layer == 2
    assert classified(content, 99, layer=0).layer == 0


def test_conventions_are_generic_and_long_texts_archival():
    assert classified("Always use tabs").layer == 1
    assert classified("The logo is blue").layer == 2
    assert classified("The logo is blue. " * 200).layer == 3


def test_importance_follows_the_weight_of_the_words():
    assert classified("The logo is blue").importance == 3
    assert classified("Never push to main").importance == 4
    assert classified("We decided on SQLite because it needs no server").importance == 4
    assert classified("The logo is blue. " * 200).importance == 2


def test_the_longest_text_is_classified_at_once():
    assert classified("use keep store to run " * 227).kind
