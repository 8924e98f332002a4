"""Rows F and D8 on real disks: full to the last byte, read-only, unmounted; and what gets through afterwards."""

from .disks import DEPLOYS, REDIS, on_disks

SAVES = f"""
def save(memem, text):
    try:
        outcome = memem.save(Draft(content=text))
        return outcome.action, outcome.reason
    except MememError as error:
        return "refused", str(error)

REDIS, DEPLOYS = {REDIS!r}, {DEPLOYS!r}
"""


def test_f1_a_vault_on_a_disk_that_is_full_spools_and_takes_it_once_when_there_is_space(tmp_path):
    said = on_disks(
        tmp_path,
        SAVES
        + """
mount(root / "vault")
memem = start()
said.append(save(memem, REDIS))
before = {name: (root / "vault").rglob(name).__next__().read_bytes() for name in notes()}
fill(root / "vault")
said.append(save(memem, DEPLOYS))
said.append(save(memem, "Redis must run on 6390"))
said.append(save(memem, DEPLOYS))
said.append([all((root / "vault").rglob(name).__next__().read_bytes() == data for name, data in before.items()),
             len(notes()), memem.waiting(), temporary()])
memem.close()
status = command("status")
said.append("2 saves wait" in status.stdout)
said.append(command("doctor").returncode)
free(root / "vault")
said.append(command("search", "deploys").stdout.count("Deploys happen"))
memem = start()
memem.sync()
said.append([len(notes()), memem.waiting(), temporary(), len(memem.memories("*"))])
""",
    )
    added, spooled, correction, again, kept, status, doctor, found, after = said
    assert added[0] == "added"
    assert spooled[0] == correction[0] == again[0] == "spooled"
    assert "free some space" in spooled[1]
    assert kept == [True, 1, 2, []]
    assert status and doctor == 0
    assert found >= 1
    assert after == [3, 0, [], 2]


def test_f3_a_vault_that_is_remounted_read_only_is_read_and_follows_when_it_is_writable(tmp_path):
    said = on_disks(
        tmp_path,
        SAVES
        + """
mount(root / "vault", "1m")
memem = start()
save(memem, REDIS)
remount(root / "vault", "ro")
said.append(save(memem, DEPLOYS))
said.append([len(memem.search("redis").ids), len(memem.search("deploys").ids), memem.waiting()])
from memem.keep.undo import chosen, take_back
for verb in (lambda: take_back(memem, chosen(memem)),):
    try:
        verb()
        said.append("undone")
    except MememError as error:
        said.append(str(error))
remount(root / "vault", "rw")
memem.sync()
said.append([len(memem.search("deploys").ids), memem.waiting(), len(notes())])
""",
    )
    spooled, read, undone, after = said
    assert spooled[0] == "spooled" and "remount it writable" in spooled[1]
    assert read[0] == 1 and read[2] == 1
    assert "remount it writable" in undone
    assert after == [1, 0, 2]


def test_f4_a_state_folder_on_a_full_or_read_only_disk_leaves_memem_working_from_the_vault(tmp_path):
    said = on_disks(
        tmp_path,
        SAVES
        + """
mount(root / "state", "2m")
memem = start()
save(memem, REDIS)
fill(root / "state")
said.append(save(memem, DEPLOYS)[0])
said.append(len(memem.search("redis").ids))
memem.close()
for arguments in (("search", "deploys"), ("status",), ("save", "Logos are painted blue"), ("list",)):
    said.append(command(*arguments).returncode)
free(root / "state")
remount(root / "state", "ro")
memem = start()
said.append(save(memem, "Berths are numbered from the pier")[0])
said.append([len(memem.search("redis").ids), len(memem.search("berths").ids), bool(memem.degraded)])
memem.close()
said.append([command(*arguments).returncode for arguments in (("search", "redis"), ("status",), ("doctor",))])
remount(root / "state", "rw")
memem = start()
memem.sync()
said.append([len(memem.memories("*")), memem.degraded])
""",
    )
    assert said[:2] == ["added", 1]
    assert said[2:6] == [0, 0, 0, 0]
    assert said[6] == "added"
    assert said[7] == [1, 1, True]
    assert said[8] == [0, 0, 0]
    assert said[9] == [4, []]


def test_f1_with_vault_and_state_on_full_disks_a_save_is_refused_and_never_called_saved(tmp_path):
    said = on_disks(
        tmp_path,
        SAVES
        + """
mount(root / "vault")
mount(root / "state", "2m")
memem = start()
save(memem, REDIS)
fill(root / "vault")
fill(root / "state")
said.append(save(memem, DEPLOYS))
said.append([len(notes()), memem.waiting(), temporary()])
done = command("save", DEPLOYS)
said.append([done.returncode, "NOT saved" in done.stderr])
free(root / "vault")
free(root / "state")
said.append(save(memem, DEPLOYS)[0])
""",
    )
    assert said[0][0] == "refused" and said[0][1].startswith("NOT saved.")
    assert said[1] == [1, 0, []]
    assert said[2] == [4, True]
    assert said[3] == "added"


def test_f5_an_unmounted_vault_is_neither_made_anew_nor_taken_for_empty(tmp_path):
    said = on_disks(
        tmp_path,
        SAVES
        + """
disk = root / "disk"
disk.mkdir()
(root / "vault").mkdir()
run("mount", "--bind", str(disk), str(root / "vault"))
memem = start()
save(memem, REDIS)
run("umount", str(root / "vault"))
memem._synced_at = float("-inf")
said.append(save(memem, DEPLOYS)[0])
said.append([list((root / "vault").iterdir()) == [], memem.waiting(), len(memem.search("redis").ids)])
done = command("search", "redis")
said.append([done.stdout.count("Redis"), list((root / "vault").iterdir()) == []])
run("mount", "--bind", str(disk), str(root / "vault"))
memem.sync()
said.append([len(notes()), memem.waiting(), memem.state.buried_ids()])
""",
    )
    assert said[0] == "spooled"
    assert said[1] == [True, 1, 1]
    assert said[2][0] >= 1 and said[2][1]
    assert said[3] == [2, 0, []]


def test_d8_a_disk_that_is_full_at_a_checkpoint_loses_nothing(tmp_path):
    said = on_disks(
        tmp_path,
        SAVES
        + """
mount(root / "state", "4m")
memem = start()
for number in range(20):
    save(memem, f"Service number {number} listens on port {6000 + number}")
fill(root / "state")
from memem import sqlite
for connection in (memem.index.connection, memem.state.connection):
    try:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite.Error as error:
        said.append(type(error).__name__)
for number in range(20, 30):
    assert save(memem, f"Service number {number} listens on port {6000 + number}")[0] == "added"
memem.close()
free(root / "state")
memem = start()
memem.sync()
from memem.verify import DAMAGE, verify
damaged = [finding.what for finding in verify(memem.config) if finding.level == DAMAGE]
said.append([len(memem.memories("*")), damaged, memem.state is not None])
""",
    )
    assert said[-1] == [30, [], True]


def test_f1_a_backup_on_a_full_disk_leaves_nothing_half_and_a_restore_into_one_goes_on_later(tmp_path):
    said = on_disks(
        tmp_path,
        SAVES
        + """
from memem.keep.backup import backup
from memem.keep.bundle import Bundle
from memem.keep.restore import carry_out, plan
memem = start()
for number in range(60):
    save(memem, f"Service number {number} listens on port {6000 + number}, " + "and more words " * 100)
memem.close()
usb = root / "usb"
mount(usb, "8k")
try:
    backup(memem.config, str(usb))
except MememError as error:
    said.append(str(error))
said.append(os.listdir(usb))
made = backup(memem.config, str(root))
mount(root / "small", "200k")
other = start(state="state2", vault="small")
with Bundle(Path(made.path)) as bundle:
    try:
        carry_out(other, bundle, plan(other, bundle))
    except MememError as error:
        said.append(str(error))
    whole = {name.rpartition("/")[2]: bundle.read(name) for name in bundle.entries if name.startswith("vault/")}
    there = {path.name: path.read_bytes() for path in (root / "small").rglob("*.md")}
    said.append([0 < len(there) < 60, all(whole[name] == data for name, data in there.items()), temporary()])
    remount(root / "small", "size=2m")
    carry_out(other, bundle, plan(other, bundle))
there = {path.name: path.read_bytes() for path in (root / "small").rglob("*.md")}
said.append([len(there), there == whole])
""",
    )
    full, left, stopped, partly, after = said
    assert "cannot be written" in full and left == []
    assert "free some space" in stopped
    assert partly == [True, True, []]
    assert after == [60, True]


def test_f1_the_miner_lets_waiting_saves_in_although_it_has_nothing_to_mine(tmp_path):
    said = on_disks(
        tmp_path,
        SAVES
        + """
mount(root / "vault")
memem = start()
save(memem, REDIS)
fill(root / "vault")
said.append(save(memem, DEPLOYS)[0])
free(root / "vault")
memem.close()
from memem import consent
from memem.consent import Consent
from memem.daemon.worker import work
from memem.miner import Miner
from memem.daemon.log import open_log
consent.write(memem.config.dir, Consent(capture=True, mining=True))
memem = start()
said.append(work(Miner(memem), model=None, log=open_log(memem.config.dir), stop=lambda: False))
said.append([len(notes()), memem.waiting()])
""",
    )
    assert said[0] == "spooled"
    assert said[2] == [2, 0]
