"""Rows P: processes that end in the middle of something."""

import random
import signal
import time

import pytest

from memem.models import Draft
from memem.vault import store
from memem.vault.note import parse

from .faults import OPEN, child, temporary

SAVE_FOREVER = f"""{OPEN}
number = int(sys.argv[3])
while True:
    subject = ''.join(chr(97 + int(digit)) * 3 for digit in str(number))
    memory = memem.save(Draft(content=f'{{subject}} is the code name of release {{number}} {{"x" * 3000}}')).memory
    os.write(1, f'{{memory.id}}\\n'.encode())
    number += 1
"""


def test_p2_killed_in_the_middle_of_saves_every_acked_memory_is_whole(home, checkout, opened, vault):
    chance = random.Random(5)
    acked = []
    for cycle in range(5):
        process = child(SAVE_FOREVER, home, checkout, str((cycle + 1) * 1000))
        for _ in range(chance.randint(1, 12)):
            acked.append(process.stdout.readline().decode().strip())
        deadline = time.monotonic() + chance.random() * 0.02  # somewhere between two answers
        while time.monotonic() < deadline:
            pass
        process.send_signal(signal.SIGKILL)
        rest = process.communicate(timeout=30)[0].decode().split("\n")[:-1]
        acked += rest
    assert all(len(id) == 36 for id in acked)
    for name, data in vault.snapshot().items():
        if name.endswith(".md"):
            note = parse(data, name)
            assert (note.problem, len(note.memory.body) > 3000) == ("", True), name
    memem = opened()
    memories, missing = memem.get(acked)
    assert missing == []
    assert [memory.id for memory in memories] == acked
    assert memem.search("code name of release", limit=50).ids != []
    listed = {file.path for file in memem.vault.files()}
    assert {item.path for item in memem.index.notes()} == listed
    assert memem.vault.sweep(now=time.time() + 4000) <= 5
    assert temporary(home.memory_root) == []


def test_crash_between_a_correction_and_its_mark_is_finished_by_the_next_process(memem, opened, monkeypatch):
    memem.save(Draft(content="The cluster runs Postgres 14 in production"))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store.Vault, "edit", killed)
        with pytest.raises(KeyboardInterrupt):
            memem.save(Draft(content="The cluster runs Postgres 15 in production"))
    other = opened()
    other.sync()
    assert [item.memory.body for item in other.memories()] == ["The cluster runs Postgres 15 in production"]
    assert other.warnings() == ()
    assert len(other.memories(history=True)) == 2
