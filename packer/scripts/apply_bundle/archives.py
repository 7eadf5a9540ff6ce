"""Unpacks archives that nobody vouches for.

Only regular files and folders are made. A link to a file of the same archive
becomes a copy of it, every other link, device or path that leads out is
refused. Entries and bytes are counted as they are written, whatever the archive
says of itself.
"""

import collections
import gzip
import os
import posixpath
import stat
import tarfile
import zipfile
import zlib

from manifest import Refused, collisions, fault

CHUNK = 1 << 20
MAX_LINK = 4096

# kind is file, folder, symlink or hardlink; source is what to read, or the link's text.
Entry = collections.namedtuple("Entry", "name kind executable source")
Limits = collections.namedtuple("Limits", "entries bytes")

# What the libraries raise on a damaged archive.
DAMAGED = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile,
           RuntimeError, NotImplementedError, ValueError, OverflowError)


def unpack(path, action, folder, limits, stopped):
    """Unpacks into a new folder and returns the paths of the files below it.
    stopped is called between chunks and raises to end it."""
    os.mkdir(folder)
    out = _Output(folder, limits, stopped)
    entries = {"extract_zip": _zip, "extract_tar_gz": _tar_gz}[action]
    try:
        for entry in entries(path, limits):
            out.add(entry)
        out.links()
    except DAMAGED as err:
        raise Refused("the archive is damaged or of a kind that is not read: %s" % err) from None
    except MemoryError:
        raise Refused("the archive has a header that wants more memory than this program may use") from None
    return sorted(out.files)


class _Output:
    def __init__(self, folder, limits, stopped):
        self.folder, self.limits, self.stopped = folder, limits, stopped
        self.files, self.folders, self.pending = {}, set(), []
        self.entries = self.bytes = 0

    def add(self, entry):
        self.stopped()
        self.entries += 1
        if self.entries > self.limits.entries:
            raise Refused("the archive has more than %d entries (ARCHIVE_MAX_ENTRIES)" % self.limits.entries)
        name = _clean(entry.name)
        if name is None:
            return  # the archive's own root
        if entry.kind == "folder":
            self._mkdir(name)
        elif entry.kind in ("symlink", "hardlink"):
            self.pending.append((name, entry))
        else:
            self._write(name, entry.source, entry.executable)

    def _mkdir(self, name):
        if name in self.folders or not name:
            return
        try:
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise Refused("the archive has %r as a file and as a folder" % name) from None
        self.folders.add(name)

    def _write(self, name, source, executable):
        self._mkdir(posixpath.dirname(name))
        mode = 0o755 if executable else 0o644
        try:
            # Nothing in this folder is a link, and this one must be new.
            fd = os.open(os.path.join(self.folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        except FileExistsError:
            raise Refused("the archive has %r twice" % name) from None
        with open(fd, "wb") as f:
            while True:
                self.stopped()
                chunk = source.read(CHUNK)
                if not chunk:
                    break
                self.bytes += len(chunk)
                if self.bytes > self.limits.bytes:
                    raise Refused("the archive unpacks to more than %d bytes (ARCHIVE_MAX_BYTES)" % self.limits.bytes)
                f.write(chunk)
            f.flush()
            os.fsync(f.fileno())
        self.files[name] = executable

    def links(self):
        """Copies what links name, once every entry is there."""
        targets = {}
        for name, entry in self.pending:
            targets[name] = _target(name, entry)
        faults = collisions(list(self.files) + list(targets))
        if faults or len(targets) != len(self.pending):
            raise Refused("the archive has links beside files of the same name: %s" % "; ".join(faults[:3]))
        ends = {name: self._end(name, targets) for name in sorted(targets)}
        for name, end in ends.items():
            with open(os.path.join(self.folder, end), "rb") as source:
                self._write(name, source, self.files[end])

    def _end(self, name, targets):
        """Follows a link through others to the file it means."""
        end, hops = targets[name], 0
        while end in targets and hops < 40:
            end, hops = targets[end], hops + 1
        if end not in self.files:
            raise Refused("the archive's link %r leads to %r, which is no file of it" % (name, end))
        return end


def _clean(name):
    while name.startswith("./"):
        name = name[2:]
    name = name[:-1] if name.endswith("/") and name != "/" else name
    if name in ("", "."):
        return None
    why = fault(name)
    if why:
        raise Refused("the archive's entry %.200r %s" % (name, why))
    return name


def _target(name, entry):
    link = entry.source
    if entry.kind == "symlink":
        end = posixpath.normpath(posixpath.join(posixpath.dirname(name), link)) if link else ""
    else:
        end = posixpath.normpath(link) if link else ""
    if link.startswith("/") or fault(end):
        raise Refused("the archive's link %.200r leads out, to %.200r" % (name, link))
    return end


def _zip(path, limits):
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        if len(infos) > limits.entries:
            raise Refused("the archive has more than %d entries (ARCHIVE_MAX_ENTRIES)" % limits.entries)
        for info in infos:
            mode = info.external_attr >> 16
            kind = stat.S_IFMT(mode)
            if info.flag_bits & 1:
                raise Refused("the archive's entry %.200r is encrypted" % info.filename)
            if info.filename.endswith("/"):
                yield Entry(info.filename, "folder", False, None)
            elif kind == stat.S_IFLNK:
                with archive.open(info) as source:
                    text = source.read(MAX_LINK).decode("utf-8", "surrogateescape")
                yield Entry(info.filename, "symlink", False, text)
            elif kind in (0, stat.S_IFREG):
                with archive.open(info) as source:
                    yield Entry(info.filename, "file", bool(mode & 0o100), source)
            else:
                raise Refused("the archive's entry %.200r is a device, a pipe or the like" % info.filename)


class _Bounded:
    """Bytes of a tar, headers and all, up to a limit."""

    def __init__(self, source, limits):
        self.source, self.limits = source, limits
        self.left = limits.bytes + limits.entries * 4096

    def read(self, size):
        data = self.source.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise Refused("the archive unpacks to more than %d bytes (ARCHIVE_MAX_BYTES)" % self.limits.bytes)
        return data


def _tar_gz(path, limits):
    with gzip.open(path) as unpacked, tarfile.open(fileobj=_Bounded(unpacked, limits), mode="r|", errorlevel=1) as archive:
        for member in archive:
            if member.isdir():
                yield Entry(member.name, "folder", False, None)
            elif member.issym():
                yield Entry(member.name, "symlink", False, member.linkname)
            elif member.islnk():
                yield Entry(member.name, "hardlink", False, _strip(member.linkname))
            elif member.isreg():
                with archive.extractfile(member) as source:
                    yield Entry(member.name, "file", bool(member.mode & 0o100), source)
            else:
                raise Refused("the archive's entry %.200r is a device, a pipe or the like" % member.name)
            archive.members = []  # or a million entries stay in memory


def _strip(name):
    while name.startswith("./"):
        name = name[2:]
    return name
