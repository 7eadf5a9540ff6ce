"""The switch from one bundle to the next, as a list of renames in a journal.

A switch that was killed is finished by the next run; one that cannot be finished
is undone. Both go through the same list, and each of its operations can be
repeated: it looks at what is there. An operation is
{"path": below the root, "staged": what goes there or null, "old": where what was there waits}.
"""

import json
import os
import shutil

from manifest import FOLDERS, fault, reserved

STATE = ".apply-bundle"
INSTALLED = ".installed_bundle_paths"
ACTIVE = ".active_bundle_id"


class SwitchError(Exception):
    """The switch could not be made, or not be written down."""


class Root:
    """The folder that bundles are installed below."""

    def __init__(self, path):
        self.path = path
        self.state = os.path.join(path, STATE)
        self.staging = os.path.join(self.state, "staging")
        self.old = os.path.join(self.state, "old")
        self.journal = os.path.join(self.state, "journal.json")
        self.record = os.path.join(self.state, "record.json")

    def at(self, path):
        return os.path.join(self.path, path)

    def below(self, path):
        """Says why a path is not really below the root, or None: what a link leads to is not."""
        parts = path.split("/")
        for n in range(1, len(parts)):
            parent = self.at("/".join(parts[:n]))
            if os.path.islink(parent):
                return "%s is a symbolic link" % parent
        return None

    def active(self):
        """Returns the id of the installed bundle, or an empty text."""
        try:
            with open(self.at(ACTIVE), encoding="utf-8", errors="replace") as f:
                return f.read(1024).strip()
        except FileNotFoundError:
            return ""

    def installed(self):
        """Returns the paths that the installed bundle brought. An older installer may
        have written absolute ones and folders."""
        try:
            with open(self.at(INSTALLED), encoding="utf-8", errors="surrogateescape") as f:
                lines = f.read().split("\n")
        except FileNotFoundError:
            return []
        prefix = self.path.rstrip("/") + "/"
        return sorted({(line[len(prefix):] if line.startswith(prefix) else line).rstrip("/") for line in lines if line})

    def own(self, path):
        """Gives what a root user made to who owns the root, as ComfyUI runs as that user."""
        if os.geteuid() == 0:
            owner = os.stat(self.path)
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)

    def make_folders(self, path):
        parts = path.split("/")[:-1]
        for n in range(1, len(parts) + 1):
            folder = self.at("/".join(parts[:n]))
            if not os.path.isdir(folder):
                os.mkdir(folder, 0o755)
                self.own(folder)

    def prune(self, path):
        """Removes the folders above a path that are empty now, or hold only Python's cache."""
        folder = os.path.dirname(path)
        while folder and folder not in FOLDERS and not os.path.islink(self.at(folder)):
            try:
                if os.listdir(self.at(folder)) == ["__pycache__"]:
                    shutil.rmtree(os.path.join(self.at(folder), "__pycache__"))
                os.rmdir(self.at(folder))
            except OSError:
                return  # not empty, or not there
            folder = os.path.dirname(folder)


def write(path, text):
    """Writes a file whole or not at all."""
    with open(path + ".new", "w", encoding="utf-8", errors="surrogateescape") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    os.replace(path + ".new", path)
    sync(os.path.dirname(path))


def sync(folder):
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fingerprint(path):
    """Returns what changes when a file changes, or None where none is."""
    try:
        s = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return [s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns]


def operations(root, puts, keeps, log):
    """Returns the list that makes the installed paths become puts and keeps.
    puts has a staged file, relative to the state folder, for each path."""
    gone = []
    future = set(puts) | set(keeps)
    parents = {"/".join(p.split("/")[:n]) for p in future for n in range(1, p.count("/") + 1)}
    for path in root.installed():
        why = fault(path) or (reserved(path) and "belongs to the image") or root.below(path)
        if path in future or (path in parents and os.path.isdir(root.at(path))) or not os.path.lexists(root.at(path)):
            continue
        if why or path in FOLDERS or path in ("models", "custom_nodes"):
            log("leaving %r, which %s names: %s" % (path, INSTALLED, why or "it is a folder of ComfyUI"))
            continue
        gone.append(path)
    todo = [(path, None) for path in gone] + sorted(puts.items())
    return [{"path": path, "staged": staged, "old": "old/%d" % n} for n, (path, staged) in enumerate(todo)]


def run(root, journal, log):
    """Does what the journal says, or undoes it. Both can be repeated."""
    write(root.journal, json.dumps(journal))
    os.makedirs(root.old, exist_ok=True)
    try:
        for op in journal["operations"]:
            _do(root, op)
    except OSError as err:
        undo(root, journal, log)
        raise SwitchError("the switch failed: %s" % err) from None
    commit(root, journal)


def _do(root, op):
    target, old = root.at(op["path"]), os.path.join(root.state, op["old"])
    staged = op["staged"] and os.path.join(root.state, op["staged"])
    if staged and not os.path.lexists(staged):
        return  # done before
    if staged is None:
        if os.path.lexists(target) and not os.path.lexists(old):
            os.rename(target, old)
        root.prune(op["path"])
        return
    if os.path.isdir(target) and not os.path.islink(target):
        _clear(target)
    elif os.path.lexists(target) and not os.path.lexists(old):
        os.rename(target, old)
    root.make_folders(op["path"])
    os.rename(staged, target)


def _clear(folder):
    """Removes a folder that has nothing but folders in it."""
    for name, _, _ in os.walk(folder, topdown=False):
        os.rmdir(name)


def undo(root, journal, log):
    """Brings back what was there before."""
    journal = dict(journal, undo=True)
    write(root.journal, json.dumps(journal))
    for op in reversed(journal["operations"]):
        target, old = root.at(op["path"]), os.path.join(root.state, op["old"])
        staged = op["staged"] and os.path.join(root.state, op["staged"])
        if staged and not os.path.lexists(staged) and os.path.lexists(target):
            os.rename(target, staged)
        if os.path.lexists(old):
            root.make_folders(op["path"])
            os.rename(old, target)
    for op in journal["operations"]:
        root.prune(op["path"])
    sync(root.path)
    os.remove(root.journal)
    log("the switch is undone")


def commit(root, journal):
    """Says that the bundle is installed, its id last, and drops what waited."""
    assets = journal["assets"]
    for asset in assets:
        asset["files"] = {path: fingerprint(root.at(path)) for path in asset["files"]}
    paths = sorted(path for asset in assets for path in asset["files"])
    write(root.record, json.dumps({"bundle_id": journal["bundle_id"], "assets": assets}))
    write(root.at(INSTALLED), "".join(path + "\n" for path in paths))
    root.own(root.at(INSTALLED))
    write(root.at(ACTIVE), journal["bundle_id"] + "\n")
    root.own(root.at(ACTIVE))
    os.remove(root.journal)
    clean(root)


def clean(root):
    """Drops what a finished run left behind."""
    for folder in (root.old, root.staging):
        shutil.rmtree(folder, ignore_errors=True)


def unfinished(root):
    """Tells whether a switch is open: then the files are of two bundles."""
    return os.path.lexists(root.journal)


def recover(root, log):
    """Ends a switch that a killed run left open."""
    try:
        with open(root.journal, encoding="utf-8") as f:
            journal = json.load(f)
    except FileNotFoundError:
        shutil.rmtree(root.old, ignore_errors=True)  # of a switch that ended
        return
    if journal.get("undo"):
        log("a run that was stopped while it went back to bundle %s: going on" % (root.active() or "none"))
        undo(root, journal, log)
        return
    log("a run that was stopped while it switched to bundle %s: finishing" % journal["bundle_id"])
    run(root, journal, log)
    log("bundle %s is installed" % journal["bundle_id"])
