"""Finds every message that an error of memem can print, in the source itself: one row per raise site."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from memem import errors

# What an error is raised as, beyond the tree in memem/errors.py; its message is the argument of that number.
_OTHERS = {"SetupFailed": 1, "context.fail": 0}
_SHELL = re.compile(r"""fail (\d+) "([^"]+)" "([^"]+)\"""")
_NAMES = {name: error for name, error in vars(errors).items() if isinstance(error, type)}


def messages(root: Path) -> list[tuple[str, str, str]]:
    """Exit code, message with `‹…›` where a value stands, and the module: each message once, in order."""
    found: dict[str, tuple[str, str, str]] = {}
    for path in sorted((root / "memem").rglob("*.py")):
        module = path.relative_to(root).as_posix()
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
            for code, text in _raised(function):
                found.setdefault(text, (code, text, module))
    for code, what, fix in _SHELL.findall((root / "bootstrap.sh").read_text(encoding="utf-8")):
        text = what.replace("$0", "bootstrap.sh")
        found.setdefault(text, (code, f"{text}. Fix: {fix}", "bootstrap.sh"))
    return sorted(found.values(), key=lambda row: (int(row[0]) if row[0].isdigit() else 99, row[2], row[1]))


def _raised(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for node in ast.walk(function):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        at = _OTHERS.get(name, 0)
        if (name in _NAMES or name in _OTHERS) and len(node.args) > at:
            text = _text(node.args[at], function)
            if text:
                fix = _text(node.args[2], function) if name == "SetupFailed" and len(node.args) > 2 else ""
                yield _code(name, node), f"{text}. Fix: {fix}" if fix else text


def _code(name: str, node: ast.Call) -> str:
    if name == "SetupFailed":
        return ast.unparse(node.args[0])
    return str(_NAMES[name].exit_code) if name in _NAMES else "2"


def _text(node: ast.expr, function: ast.FunctionDef) -> str:
    """The message as a person would meet it; empty for one that is another error's words."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part, function) for part in node.values)
    if isinstance(node, ast.FormattedValue):
        return f"‹{_value(node.value)}›"
    if isinstance(node, ast.BinOp):
        return _text(node.left, function) + _text(node.right, function)
    if isinstance(node, ast.Name):
        for statement in ast.walk(function):
            if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == node.id:
                return _text(statement.value, function)
    return ""


def _value(node: ast.expr) -> str:
    """A short name for what is filled in: its last identifier."""
    if isinstance(node, ast.Call) and node.args and not isinstance(node.args[0], ast.GeneratorExp):
        return _value(node.args[0])
    names = re.findall(r"[a-z_]\w*", ast.unparse(node), re.IGNORECASE)
    return names[-1].strip("_").replace("_", " ").lower() if names else "value"
