"""The hooks of tools in the real client: a file that is read, a sub-agent that starts."""

from __future__ import annotations

import pytest

from .client import Client
from .messages import Use
from .test_real_client import LESSON, save, save_in

pytestmark = pytest.mark.e2e

IDENTITY = "This shop sells spare parts for lighthouses to harbour masters."
ABOUT_FILE = "shop.py must stay free of imports, because the kiosk runs it alone."
TASK = "Find out why prices of invoices are stored as integer cents"


def read(client: Client) -> Use:
    return Use("Read", {"file_path": str(client.project / "shop.py")})


@pytest.mark.parametrize("gating", ["1", ""])
def test_file_brings_its_notes_before_it_is_read(installed: Client, gating: str) -> None:
    save_in(installed, save(ABOUT_FILE, "No imports in shop.py"))
    installed.extra["MEMEM_PRETOOL_GATING"] = gating
    session = installed.run("Look at the file.", [read(installed), read(installed), "Done."])
    told = session.requests[-1].context_of("PreToolUse:Read")
    assert told.count(ABOUT_FILE) == (1 if gating else 0)
    assert told.count("memem — relevant memories for `shop.py`:") == (1 if gating else 0)
    assert "print('shop')" in session.requests[-1].text


def test_sub_agent_starts_with_the_identity_and_what_fits_its_task(installed: Client) -> None:
    save_in(installed, save(IDENTITY, "What the shop is", layer=0), save())
    call = Use("Agent", {"description": "Look", "prompt": TASK, "subagent_type": "general-purpose"})
    session = installed.run("Delegate it.", [call, "Because of floats.", "Done.", "Done."])
    told = [request.context_of("SubagentStart") for request in session.requests]
    (of_agent,) = filter(None, told)  # it is in no request but the sub-agent's own
    assert IDENTITY in of_agent
    assert LESSON in of_agent
