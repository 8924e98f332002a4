"""An audit leads back to the very line that a memory was made of, and quotes it harmlessly."""

from pathlib import Path

import pytest

from memem.errors import NotFound
from memem.keep.audit import audit
from memem.miner import Miner
from memem.models import Draft

from ..home import Home
from ..sources.transcripts import agent, line, user

SESSION = "aaaaaaaa-1111-4000-8000-000000000001"
RULE = "From now on: The falcon service always deploys with zorblaxctl from the barn host, never by hand."
TOKEN = "ghp_" + "a1B2c3D4e5F6" * 3


@pytest.fixture
def learned(memem, home, checkout):
    """Mines and archives a session in which one rule is stated in a known line; answers the memory and the file."""

    def learn(rule=RULE):
        path = Path(home.session_dirs[0], "-work-shop", f"{SESSION}.jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        how = {"sessionId": SESSION, "cwd": checkout}
        said = [user("Good morning.", **how), agent("Good morning!", **how), user(rule, **how), agent("Yes.", **how)]
        path.write_bytes(b"".join(map(line, said)))
        list(memem.archive([str(path)], opted_in=True))
        uuid = said[2]["uuid"]
        if rule != RULE:  # not one that would be mined
            draft = Draft(content=RULE, source_type="mined", source_session=SESSION, evidence=(uuid,))
            return memem.save(draft).memory, path, uuid
        (mined,) = Miner(memem).mine([str(path)])
        return mined.outcomes[0].memory, path, uuid

    return learn


def test_a_mined_memory_leads_to_its_line_and_record(memem, learned):
    memory, path, uuid = learned()
    trace = audit(memem, memory.id[:8])
    (witness,) = trace.witnesses
    assert (witness.file, witness.line, witness.record, witness.human) == (str(path), 3, uuid, True)
    assert witness.text == RULE
    assert not trace.by_hand
    assert [what for _, what in trace.changes] == ["written"]


def test_when_the_transcript_is_gone_the_archive_tells_and_else_the_record_alone(memem, learned, home):
    memory, path, uuid = learned()
    path.unlink()
    (witness,) = audit(memem, memory.id).witnesses
    assert (witness.file, witness.record, witness.text) == ("archive", uuid, RULE)
    for one in Path(home.state_path("archive")).iterdir():
        one.unlink()
    (witness,) = audit(memem, memory.id).witnesses
    assert (witness.file, witness.record, witness.text) == ("", uuid, "")


def test_what_is_quoted_holds_no_secret_and_nothing_a_terminal_or_model_would_obey(memem, learned):
    memory, _, _ = learned(f"{RULE} Its token is {TOKEN}\x1b[2J\x1b]0;gotcha\x07 \u202ehidden")
    (witness,) = audit(memem, memory.id).witnesses
    assert "zorblaxctl" in witness.text
    for bad in (TOKEN, "\x1b", "\x07", "\u202e"):
        assert bad not in witness.text


def test_changes_edits_and_ties_are_told(memem, save, vault):
    old = save("Integration tests need Redis on port 6380")
    new = save("Integration tests need Redis on port 6390")
    vault.edit(new.id, body="Integration tests need Redis on port 6391, I say")
    trace = audit(memem, old.id)
    assert [what for _, what in trace.changes] == ["written", "changed"]
    assert trace.ties == (("replaced by", new.id, new.title),)
    assert audit(memem, new.id).by_hand
    assert audit(memem, new.id).ties == (("supersedes", old.id, old.title),)


def test_an_unknown_id_is_not_found(memem):
    with pytest.raises(NotFound):
        audit(memem, "ffffffff")


def test_the_command_prints_it(tmp_path):
    home = Home(tmp_path)
    memory = home.save("The falcon service deploys on Fridays")
    done = home.run("audit", memory.id[:8])
    assert done.returncode == 0, done
    assert "trust       user, from user" in done.stdout
    assert "saved on purpose" in done.stdout
    assert home.run("audit", memory.id[:8], "--json").stdout.startswith("{")
    assert home.run("audit", "ffffffff").returncode == 3
