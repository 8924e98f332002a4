"""Code that others put into a note is told of where a plugin of Obsidian would run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from memem.health.obsidian import code
from tests.home import Home

TEMPLATE = "The harbor page greets with <%* await tp.user.greet() %> each morning"
SCRIPT = "The harbor list is made by this:\n\n```dataviewjs\ndv.list([1])\n```"


def plugins(home: Home, *enabled: str, **settings: object) -> None:
    folder = home.vault / ".obsidian"
    (folder / "plugins" / "dataview").mkdir(parents=True)
    (folder / "community-plugins.json").write_text(json.dumps(enabled))
    (folder / "plugins" / "dataview" / "data.json").write_text(json.dumps(settings))


@pytest.mark.parametrize(
    ("content", "enabled", "settings", "named"),
    [
        (TEMPLATE, ["templater-obsidian"], {}, "templater-obsidian"),
        (TEMPLATE, ["dataview"], {"enableDataviewJs": True}, ""),
        (SCRIPT, ["dataview"], {"enableDataviewJs": True}, "dataview"),
        (SCRIPT, ["dataview"], {}, ""),
        (SCRIPT, [], {"enableDataviewJs": True}, ""),
        ("The harbor opens at nine", ["templater-obsidian", "dataview"], {"enableDataviewJs": True}, ""),
    ],
)
def test_code_is_told_of_where_a_plugin_would_run_it(
    tmp_path: Path, content: str, enabled: list[str], settings: dict[str, object], named: str
) -> None:
    home = Home(tmp_path)
    home.save(content)
    plugins(home, *enabled, **settings)
    memem = home.open()
    memem.sync()
    check = code(memem)
    memem.close()
    assert (check.level == "degraded") == bool(named)
    assert check.text.startswith(f"{named} may run what stands in memories/") if named else "none" in check.text


@pytest.mark.parametrize("data", ["", "{", "[" * 100_000, "7", '["templater-obsidian"'])
def test_settings_of_obsidian_that_are_none_are_no_error(tmp_path: Path, data: str) -> None:
    home = Home(tmp_path)
    home.save(TEMPLATE)
    plugins(home)
    (home.vault / ".obsidian" / "community-plugins.json").write_text(data)
    memem = home.open()
    assert code(memem).level == "ok"
    memem.close()
