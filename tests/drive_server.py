"""Drives an installed `memem` with the official MCP client, over stdio: python tests/drive_server.py COMMAND"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

FACT = "Integration tests of the harbor need Redis on port 6380."


async def drive(command: str) -> None:
    """Initialise, list, save, find and read; raises AssertionError on any surprise."""
    with tempfile.TemporaryDirectory() as home:
        environ = {"HOME": home, "PATH": os.environ["PATH"]}
        server = StdioServerParameters(command=command, args=[], env=environ, cwd=home)
        async with stdio_client(server) as (reader, writer), ClientSession(reader, writer) as session:
            await session.initialize()
            names = [tool.name for tool in (await session.list_tools()).tools]
            assert "memory_save" in names, names
            saved = await session.call_tool("memory_save", {"content": FACT, "scope_id": "general"})
            assert "Memory saved" in saved.content[0].text, saved
            found = await session.call_tool("memory_search", {"query": "which port has redis?"})
            assert "6380" in found.content[0].text, found
            refused = await session.call_tool("memory_save", {"content": "x"})
            assert "content" in refused.content[0].text, refused


if __name__ == "__main__":
    asyncio.run(asyncio.wait_for(drive(sys.argv[1]), 60))
    print("ok")
