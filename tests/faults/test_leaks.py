"""I8 and row S1 from end to end: whatever way a secret comes in, no file below the home and no request holds it."""

import base64
import contextlib
import gzip
import json
import random
import string
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memem import background, consent
from memem.consent import Consent
from memem.daemon.log import open_log
from memem.daemon.settle import settle
from memem.daemon.worker import work
from memem.errors import MememError
from memem.miner import Miner
from memem.models import Draft
from memem.off import turn_on
from tests.home import ROOT, Home
from tests.llm.servers import PROTOCOLS, Server
from tests.sources.transcripts import agent, call, result, user, write

SESSION = "5e551011-0000-4000-8000-000000000001"
ALPHANUMERIC = string.ascii_letters + string.digits


def drawn(seed: str, length: int = 36, alphabet: str = ALPHANUMERIC) -> str:
    draw = random.Random(seed)
    letters = [draw.choice(alphabet) for _ in range(length)]
    letters[length // 2] = "7"
    return "".join(letters)


def planted() -> dict[str, tuple[str, str]]:
    """Many secrets: what each is, as (what must be nowhere, how it is written)."""
    found: dict[str, tuple[str, str]] = {}
    for name in (
        *(
            "save-content",
            "save-title",
            "save-tag",
            "save-key",
            "save-path",
            "save-details",
            "save-session",
            "save-project",
        ),
        *(
            "prompt",
            "tool-output",
            "tool-input",
            "file-path",
            "branch",
            "answer",
            "queue",
            "import-body",
            "import-title",
        ),
        *("question", "search", "slice", "model", "refusal", "crash", "tool-file", "tool-result"),
    ):
        token = "gh" + "p_" + drawn(name)
        found[name] = (token, token)
    password, other, key = "Zx7-" + drawn("password", 14), drawn("url", 18), drawn("assigned", 32)
    body = "\n".join(drawn(f"pem{at}", 64) for at in range(4))
    token, hidden, split = ("gh" + "p_" + drawn(name) for name in ("json", "base64", "split"))
    key_file = ["-----BEGIN EC " + "PRIVATE KEY-----", *(drawn(f"numbered{at}", 64) for at in range(3)), "-----END EC"]
    numbered = "\n".join(f"{at:6}→{part}" for at, part in enumerate(key_file, 1)) + " PRIVATE KEY-----"
    encoded = base64.b64encode(f"export GITHUB_TOKEN={hidden}\n".encode()).decode()
    found |= {
        "password": (password, f"the database password is {password}"),
        "url": (other, f"postgres://shop:{other}@db.acme.test/shop"),
        "assigned": (key, f"ACME_API_KEY={key}"),
        "pem": (body[70:120], "-----BEGIN RSA " + f"PRIVATE KEY-----\n{body}\n-----END RSA " + "PRIVATE KEY-----"),
        "json": (token, json.dumps({"token": token})),
        "base64": (encoded[20:60], encoded),
        "split": (split[20:], f"{split[:20]}\n    {split[20:]}"),
        "coloured": (drawn("coloured"), f"\x1b[34;1mtoken\x1b[0m: \x1b[32m{drawn('coloured')}\x1b[0m"),
        "hidden": (drawn("hidden"), f"pass\u200bword: {drawn('hidden')}"),
        "numbered": (drawn("numbered1", 64)[:40], numbered),
        "as-numbers": (drawn("numbers"), "".join(f"%{ord(char):02x}" for char in f"ghp_{drawn('numbers')}")),
        "piped": (drawn("piped", 20), f"echo '{drawn('piped', 20)}' | sudo -S systemctl restart harbor"),
    }
    return found


SECRETS = planted()


def said(name: str) -> str:
    return SECRETS[name][1]


def sources(home: Home) -> list[Path]:
    """What a user has anyway: a transcript and a file to import, with secrets in every place of them."""
    told = ("password", "url", "assigned", "json", "base64", "split", "piped", "as-numbers", "hidden", "pem")
    lessons = "\n\n".join(
        f"Always remember for the harbor deploy number {at}: {said(name)}" for at, name in enumerate(told)
    )
    folder = home.root / ".claude" / "projects" / "-harbor"
    transcripts = [written(home, folder / f"{SESSION[:-1]}{at}.jsonl", lessons) for at in (1, 2)]
    notes = home.root / "notes.md"
    notes.write_text(f"# Harbor {said('import-title')}\n\nThe harbor import uses {said('import-body')} for its pier.\n")
    return [*transcripts, notes]


def written(home: Home, path: Path, lessons: str) -> Path:
    return write(
        path,
        user(f"From now on the harbor deploys use {said('prompt')}, never anything else.", cwd=str(home.project)),
        call("Read", file_path=f"/srv/{said('file-path')}/harbor.py"),
        result(f"deploy.sh says {said('tool-output')}", gitBranch=f"feature/{said('branch')}"),
        call("Bash", "toolu_2", command=f"curl -H 'X: {said('tool-input')}' https://harbor.acme.test"),
        result(f"{said('coloured')}\n{said('numbered')}", "toolu_2"),
        user(lessons, cwd=str(home.project)),
        agent(f"Decision: harbor keeps {said('answer')} in the vault, because deploys need it."),
        {"type": "queue-operation", "operation": "enqueue", "content": f"also {said('queue')}", "sessionId": SESSION},
    )


def readable(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    yield str(path).encode()
    at = data.find(b"\x1f\x8b\x08")
    while at >= 0:  # members of an archive
        with contextlib.suppress(OSError, EOFError, ValueError, zlib.error):
            yield gzip.decompress(data[at:])
        at = data.find(b"\x1f\x8b\x08", at + 1)


def leaks(home: Home, but: list[Path], *more: bytes) -> set[tuple[str, str]]:
    found = set()
    texts = [(str(path), data) for path in home.root.rglob("*") if path.is_file() and path not in but
             for data in readable(path)]  # fmt: skip
    texts += [("elsewhere", data) for data in more]
    for place, data in texts:
        folded = data.lower()  # search terms are lower case, and cut at signs
        for name, (secret, _) in SECRETS.items():
            longest = max(secret.replace("_", "-").split("-"), key=len).lower().encode()
            if longest in folded:
                found.add((name, place))
    return found


def use(home: Home, transcript: Path, notes: Path) -> None:
    """Everything that a user, an agent and the host do in a day."""
    memem = home.open()
    memem.save(
        Draft(
            content=f"The harbor pier is opened with {said('save-content')} each morning",
            details=f"See {said('save-details')} for more",
            title=f"Pier {said('save-title')}",
            tags=(said("save-tag"),),
            keys=(said("save-key"),),
            paths=(f"src/{said('save-path')}.py",),
            source_session=said("save-session"),
        ),
        scope=said("save-project"),
    )
    list(memem.import_from(str(notes), dry_run=False))
    list(Miner(memem).mine([str(transcript)]))
    with contextlib.suppress(MememError):
        memem.search(said("search"))
    memem.transcripts("harbor deploy", everywhere=True)
    memem.sync()
    memem.close()
    home.prompt(f"why does {said('question')} not open the harbor pier?", session_id=SESSION)
    home.start(session_id=SESSION)
    home.run("slice", f"open the pier with {said('slice')}")
    home.run("search", said("search"))
    home.run("doctor")
    home.hook("PreToolUse", {"tool_name": "Read", "tool_input": {"file_path": f"/srv/{said('tool-file')}/a.py"}})
    home.hook("PostToolUse", {"tool_name": "Bash", "tool_input": {}, "tool_response": said("tool-result")})
    home.run("backup", "--sessions", str(home.root / "backups"))


def call_every_tool(home: Home) -> None:
    """Give each tool of the server a secret in every text that it takes."""
    start = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}

    def ask(calls: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
        requests = [{"jsonrpc": "2.0", "id": at, "method": method, "params": given}
                    for at, (method, given) in enumerate([("initialize", start), *calls])]  # fmt: skip
        with subprocess.Popen(
            [sys.executable, "-m", "memem.server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=home.environ | {"PYTHONPATH": str(ROOT), "MEMEM_TOOL_PROFILE": "full"},
            cwd=home.project,
        ) as server:
            assert server.stdin and server.stdout
            server.stdin.write("".join(json.dumps(one) + "\n" for one in requests).encode())
            server.stdin.flush()  # and left open: at its end what is not answered yet is dropped
            replies = [json.loads(server.stdout.readline()) for _ in requests]
            server.stdin.close()
        return replies

    listed = next(reply["result"]["tools"] for reply in ask([("tools/list", {})]) if reply.get("id") == 1)
    token = said("save-content")
    calls = []
    for tool in listed:
        texts = {name: about for name, about in tool["inputSchema"]["properties"].items() if "enum" not in about}
        arguments = {name: [f"harbor/{token}"] if "items" in about else f"the harbor {token}"
                     for name, about in texts.items() if "string" in json.dumps(about)}  # fmt: skip
        calls.append(("tools/call", {"name": tool["name"], "arguments": arguments}))
    assert len(calls) > 8
    assert {reply["id"] for reply in ask(calls)} == set(range(len(calls) + 1))


def mine_with_a_model(home: Home, transcript: Path, script: object) -> bytes:
    """What the model was sent while the worker did all that was due."""
    protocol = next(one for one in PROTOCOLS if one.name == "openai")
    with Server(script(protocol)) as server:  # type: ignore[operator]
        home.environ |= {"MEMEM_LLM": "openai", "MEMEM_LLM_URL": server.url, "MEMEM_LLM_MODEL": "m-1",
                         "OPENAI_API_KEY": "sk-loopback"}  # fmt: skip
        memem = home.open()
        consent.write(memem.config.dir, Consent(capture=True, mining=True, history=True, spend="openai"))
        settle(memem.config, background.queue(memem), ended=True)
        for _ in range(6):  # until what fails is buried with its reason
            memem.state.connection.execute("UPDATE jobs SET due = 0 WHERE status = 'pending'")
            work(Miner(memem), model=background.model(memem), log=open_log(memem.config.dir), stop=lambda: False)
        memem.close()
        return json.dumps(server.requests).encode()


def test_s1_no_secret_reaches_a_file_or_a_model_whatever_way_it_comes_in(tmp_path: Path) -> None:
    assert len(SECRETS) == 37
    home = Home(tmp_path)
    home.welcomed()
    but = sources(home)
    use(home, but[0], but[2])
    call_every_tool(home)  # which is told its own words again, and nothing else remembers them
    sent = mine_with_a_model(
        home,
        but[1],
        lambda protocol: protocol.says({
            "lessons": [{"action": "add", "target": "", "title": f"Pier {said('model')}", "kind": "fact", "layer": 2,
                         "lesson": f"The harbor pier opens with {said('model')} only.", "importance": 3, "keys": [],
                         "paths": [], "key_points": [], "synopsis": "", "evidence": [0]}],
            "summary": {"done": [said("model")], "open": [], "learned": []},
        }),
    )  # fmt: skip
    assert b"harbor" in sent
    assert leaks(home, but, sent) == set()
    assert sum(path.name.endswith(".md") for path in home.vault.rglob("*")) > 3, "the memories themselves are kept"
    assert turn_on(str(home.state), SESSION) is False


@pytest.mark.parametrize(
    "said_so",
    [
        "We always deploy the harbor with the token below.\n\nToken:\n{}\nNever commit it to the repository.",
        "We always deploy the harbor with the key of the table.\n\n| token | use |\n| {} | deploy |\n| token | {} |",
    ],
)
def test_s1_a_sentence_that_is_learned_alone_takes_no_secret_along(tmp_path: Path, said_so: str) -> None:
    home = Home(tmp_path)
    home.welcomed()
    secret = drawn("sentence", 32)
    path = home.root / ".claude" / "projects" / "-harbor" / f"{SESSION}.jsonl"
    path.parent.mkdir(parents=True)
    write(path, user(said_so.replace("{}", secret), cwd=str(home.project)), agent("Understood."))
    memem = home.open()
    (mined,) = Miner(memem).mine([str(path)])
    memem.close()
    assert mined.new
    held = [
        file for file in home.root.rglob("*") if file.is_file() and secret.lower() in str(file.read_bytes()).lower()
    ]
    assert held == [path]


@pytest.mark.parametrize("refusing", ["a prose answer", "an error"])
def test_s1_what_a_server_says_reaches_no_reason_and_no_log(tmp_path: Path, refusing: str) -> None:
    home = Home(tmp_path)
    home.welcomed()
    but = sources(home)
    script = {
        "a prose answer": lambda protocol: protocol.says(f"I will not, {said('refusal')}"),
        "an error": lambda protocol: protocol.fails(400, "invalid_request", f"bad {said('refusal')} in the prompt"),
    }[refusing]
    sent = mine_with_a_model(home, but[0], script)
    assert b"harbor" in sent
    assert leaks(home, but, sent) == set()


def test_s1_a_crash_tells_no_secret(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.welcomed()
    code = f"""
import sys
import zlib
sys.path.insert(0, {str(ROOT)!r})
from memem.cli import main
from memem import app
def broken(self, *_, **__):
    raise RuntimeError("cannot open " + {said("crash")!r})
app.Memem.search = broken
main.run(["search", "harbor"])
"""
    done = subprocess.run([sys.executable, "-c", code], env=home.environ, capture_output=True, timeout=60)
    assert done.returncode == 1
    assert leaks(home, [], done.stderr + done.stdout) == set()
