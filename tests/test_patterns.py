"""Every regular expression of the package takes time in proportion to its text, whatever the text is."""

import collections
import importlib
import pkgutil
import re
import time
from collections.abc import Iterator

import memem
from memem.ingest import shapes

UNITS = (
    *("a", "A1", " ", "\n", "-", "=", ":", "'", '"', "\\", "[", "<", "#", "|", "0", ".", "/", "a b ", "a: ", "- a\n"),
    *("a.b@c", "a1_", "<a ", "[[", "](", "--- ", "```\n", "key=", "token: ", "password is ", "://a:", "eyJa."),
    *("secret_", "-----BEGIN ", "AKIA", "<command-name>", "login(\"a\",", "cookie: a="),
    *("%3A%2F%2F", "1234 ", "+1 2", "é", "a\n  "),
)  # fmt: skip
SHORT, GROWTH, NOTICED = 4_000, 2.6, 0.02
# Those that are only ever tried at one place: from every place of a text they would be asked too much.
ANCHORED = (
    "assigned.ASSIGNED",
    "shapes.PEM_BODY",
    "frontmatter._FLOW_ITEM",
    "assigned.QUOTED",
    "judging.CODE",
    "artifacts._HOUSEKEEPING",
    "artifacts._ITEM",
    "published._CRON",
)


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for module in pkgutil.walk_packages(memem.__path__, "memem."):
        if module.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            for pattern in value.values() if isinstance(value, dict) else [value]:
                if isinstance(pattern, re.Pattern) and isinstance(pattern.pattern, str) and name != "INNER":
                    yield f"{module.name}.{name}", pattern
    # shapes.INNER reads our own table of patterns only.
    yield from ((f"the shape of {rule}", pattern) for rule, _, pattern in shapes.shapes())
    yield from (("a detector", pattern) for _, pattern in shapes.detectors())


def seconds(name: str, pattern: re.Pattern[str], text: str) -> float:
    began = time.process_time()
    if name.endswith(ANCHORED):
        pattern.match(text)
    else:
        collections.deque(pattern.finditer(text), maxlen=0)
    return time.process_time() - began


def test_time_of_every_pattern_grows_with_its_text_only() -> None:
    slow = []
    for name, pattern in patterns():
        for unit in UNITS:
            text = (unit * SHORT * 2)[: SHORT * 2]
            if seconds(name, pattern, text[:SHORT]) < NOTICED / 2 > seconds(name, pattern, text) / 2:
                continue
            short, long = (min(seconds(name, pattern, part) for _ in range(3)) for part in (text[:SHORT], text))
            if long > GROWTH * short + NOTICED / 4:
                slow.append((name, unit, short, long))
                break
    assert slow == []
