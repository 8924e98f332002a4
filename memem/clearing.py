"""What is known for a secret, or for none, only after it was kept: notes are looked through again, the archive cleared.

A model names a secret when the session that it stood in is archived, and other notes may have held it for long.
"""

from __future__ import annotations

from pathlib import Path

from memem import sqlite
from memem.errors import StateUnavailable
from memem.stores import Stores
from memem.transcripts.archive import Archive
from memem.transcripts.dropping import change
from memem.transcripts.members import FOLDER

MARK = "[REDACTED:"


def clear(memem: Stores) -> int:
    """Take what the model named since out of index and archive; answers how many rows and passages held some of it.

    Raises:
        StateUnavailable: index or archive are busy or full; what is out stays out, retry.
    """
    learned = memem.redactor.learned
    if not learned.values():
        return 0
    changed = look_again(memem, *learned.values())
    if not Path(memem.config.dir, FOLDER).is_dir():
        return changed
    archive = Archive(memem.config.dir)
    try:
        return changed + change(
            archive, lambda _, event: event.replace(text=learned.without(event.text), path=learned.without(event.path))
        )
    finally:
        archive.close()


def look_again(memem: Stores, *texts: str) -> int:
    """Read the notes anew whose rows in the index hold one of these texts; answers how many.

    Raises:
        StateUnavailable: the index is busy or full.
    """
    try:
        with sqlite.transaction(memem.index.connection):
            rows = sum(memem.index.distrust(text) for text in texts)
        if rows:
            memem.sync()
            memem.index.connection.execute("INSERT INTO terms (terms) VALUES ('optimize')")
            if memem.index.in_file:
                sqlite.leave_nothing(memem.index.connection)
    except sqlite.Error as error:
        raise StateUnavailable(f"the index is busy or full ({error}); retry.") from error
    return rows
