"""What a model names as a secret only later is taken out of index and archive, and what a human allows comes back."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from memem import background, consent
from memem.app import Memem
from memem.clearing import MARK, clear, look_again
from memem.config import Config
from memem.consent import Consent
from memem.daemon.log import open_log
from memem.daemon.settle import settle
from memem.daemon.worker import work
from memem.index.schema import FILE_NAME
from memem.miner import Miner
from memem.models import Draft
from memem.state.jobs import CLEAR, DONE
from tests.home import Home
from tests.llm.servers import PROTOCOLS, Server
from tests.sources.transcripts import line, user

ODD = "harbor!Crane77quay"  # a password by agreement of people: no rule knows it
SESSION = "5e551011-0000-4000-8000-000000000001"


@pytest.fixture
def transcript(home: Config, checkout: str) -> Path:
    path = Path(home.session_dirs[0], "-work-shop", f"{SESSION}.jsonl")
    path.parent.mkdir(parents=True)
    said = (f"The harbor master goes in by {ODD} as ever.", "And please look at the weather, too.")
    path.write_bytes(b"".join(line(user(text, sessionId=SESSION, cwd=checkout)) for text in said))
    return path


def held(folder: str | Path) -> list[str]:
    found = []
    for path in Path(folder).rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        if ODD.lower().encode() in data.lower() or b"crane77quay" in data.lower():
            found.append(path.name)
    return found


def test_what_is_learned_goes_out_of_index_and_archive(
    memem: Memem, home: Config, transcript: Path, opened: Callable[[], Memem]
) -> None:
    memem.save(Draft(content=f"The harbor crane is moved by {ODD} each day", title="Crane", tags=(ODD,)))
    list(memem.archive([str(transcript)], opted_in=True))
    other = opened()  # a server that runs meanwhile
    assert other.search("crane").found and other.redactor.learned.values() == []
    assert any(name.startswith(FILE_NAME) for name in held(home.dir)) and any(".gz" in name for name in held(home.dir))
    memem.redactor.learned.add([ODD])
    assert clear(memem) == 2
    assert held(home.dir) == []
    assert clear(memem) == 0
    for one in (memem, other):
        (found,) = one.search("crane").found
        assert found.memory.body == "The harbor crane is moved by [REDACTED:model] each day"
        assert one.search("crane77quay").ids == []
        (passage,) = one.transcripts("harbor master", everywhere=True).passages
        assert "by [REDACTED:model] as ever" in passage.snippet
        assert one.transcripts("weather", everywhere=True).passages
    saved = other.save(Draft(content=f"The pier is opened by {ODD} at noon, too"))
    assert ODD not in saved.memory.body
    memem.rebuild()
    assert held(home.dir) == []


def test_what_a_human_allows_is_found_again_without_a_rebuild(
    memem: Memem, home: Config, transcript: Path, opened: Callable[[], Memem]
) -> None:
    memem.save(Draft(content=f"The harbor crane is moved by {ODD} each day", title="Crane"))
    memem.redactor.learned.add([ODD])
    assert clear(memem) == 1
    assert not Path(home.dir, "archive").exists(), "nothing was ever archived here"
    other = opened()
    assert other.search("crane77quay").ids == []
    memem.redactor.store.allow(ODD)
    assert look_again(memem, MARK) == 1
    for one in (memem, other):
        (found,) = one.search("crane77quay").found
        assert ODD in found.memory.body
    assert clear(memem) == 0


def test_a_worker_clears_what_its_model_named(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.welcomed()
    path = home.root / ".claude" / "projects" / "-harbor" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(line(user(f"The harbor master goes in by {ODD} as ever.", cwd=str(home.project))))
    answer = {"lessons": [], "summary": {name: [] for name in ("investigated", "learned", "completed", "next_steps")}}
    protocol = next(one for one in PROTOCOLS if one.name == "openai")
    with Server(protocol.says(answer | {"secrets": [ODD]})) as server:
        home.environ |= {"MEMEM_LLM": "openai", "MEMEM_LLM_URL": server.url, "MEMEM_LLM_MODEL": "m-1",
                         "OPENAI_API_KEY": "sk-loopback"}  # fmt: skip
        memem = home.open()
        consent.write(memem.config.dir, Consent(capture=True, mining=True, history=True, spend="openai"))
        jobs = background.queue(memem)
        settle(memem.config, jobs, ended=True)
        work(Miner(memem), model=background.model(memem), log=open_log(memem.config.dir), stop=lambda: False)
        assert [job.key for job in jobs.listed((DONE,)) if job.kind == CLEAR] == ["learned"]
        memem.close()
    assert held(home.state) == []
