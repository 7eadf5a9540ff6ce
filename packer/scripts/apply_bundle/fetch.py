"""Downloads: in parallel, taken up where they broke off, never trusted unverified."""

import concurrent.futures
import hashlib
import os
import time

import s3

CHUNK = 1 << 20
KEEP_FREE = 512 << 20


class DiskError(Exception):
    """The disk refused, for instance because it is full."""


class Progress:
    """What is told while downloads run."""

    def __init__(self, log, total):
        self.log, self.total, self.done = log, total, 0
        self.begin = self.told = time.monotonic()

    def add(self, count):
        self.done += count  # an approximate number: threads may lose one

    def tell(self):
        now = time.monotonic()
        if now - self.told < 10:
            return
        self.told = now
        rate = self.done / max(now - self.begin, 1)
        left = (self.total - self.done) / rate / 60 if rate else 0
        self.log("%s of %s, %s/s, %.0f min left" % (size(self.done), size(self.total), size(rate), max(left, 0)))


def size(count):
    """Says a number of bytes."""
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return "%.*f %s" % (0 if unit == "B" else 1, count, unit)
        count /= 1024
    return "%.1f GiB" % count


def digest(path, stop):
    """Returns the SHA-256 of a file in hex."""
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while True:
            if stop.is_set():
                raise s3.Stopped()
            chunk = f.read(CHUNK)
            if not chunk:
                return h.hexdigest()
            h.update(chunk)


def blob(folder, sha):
    """Returns where the verified content of a digest is kept."""
    return os.path.join(folder, sha + ".blob")


def fetch_all(bucket, keys, folder, parallel, log):
    """Brings the objects keys, by their SHA-256, into folder."""
    wanted = {}
    for sha, key in keys.items():
        if os.path.lexists(blob(folder, sha)):
            if digest(blob(folder, sha), bucket.stop) == sha:
                continue
            os.remove(blob(folder, sha))
        wanted[sha] = key
    if not wanted:
        return
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        try:
            sizes = dict(zip(wanted, pool.map(bucket.size, wanted.values())))
            have = {sha: _length(os.path.join(folder, sha + ".part")) for sha in wanted}
            need = sum(max(sizes[sha] - have[sha], 0) for sha in wanted)
            free = _free(folder)
            if need > free:
                raise DiskError("%s have to be downloaded, the disk has room for %s" % (size(need), size(free)))
            log("downloading %d assets, %s, %d at once" % (len(wanted), size(need), parallel))
            progress = Progress(log, need)
            running = {pool.submit(_fetch, bucket, key, sha, sizes[sha], folder, progress) for sha, key in wanted.items()}
            while running:
                done, running = concurrent.futures.wait(running, 1, concurrent.futures.FIRST_EXCEPTION)
                for future in done:
                    future.result()
                progress.tell()
        except BaseException:
            bucket.stop.set()  # the other threads end, too
            raise


def _fetch(bucket, key, sha, length, folder, progress):
    part = os.path.join(folder, sha + ".part")
    taken_up = _length(part) > 0
    got = None
    while got is None:
        before = _length(part)
        try:
            got = bucket.retry(lambda: _stream(bucket, key, length, part, progress))
        except s3.NoAnswer:
            if _length(part) <= before:
                raise  # with progress, a long download may break off often
    if got != sha and taken_up:
        # What was there was no beginning of the object.
        os.remove(part)
        got = bucket.retry(lambda: _stream(bucket, key, length, part, progress))
    if got != sha:
        os.remove(part)
        raise s3.S3Error("s3://%s/%s has the SHA-256 %s, not the one of its name: upload the asset again" % (bucket.name, key, got))
    os.rename(part, blob(folder, sha))


def _stream(bucket, key, length, part, progress):
    """Downloads what part lacks and returns its SHA-256."""
    h = hashlib.sha256()
    with open(part, "ab+") as f:
        f.seek(0)
        have = 0
        for chunk in iter(lambda: f.read(CHUNK), b""):
            h.update(chunk)
            have += len(chunk)
        if have > length:
            f.truncate(0)
            have, h = 0, hashlib.sha256()
        if have < length:
            have, h = _rest(bucket, key, f, have, h, progress)
        if have != length:
            raise OSError("the answer ended after %d of %d bytes" % (have, length))
        _local(f.flush)
        _local(lambda: os.fsync(f.fileno()))
    return h.hexdigest()


def _rest(bucket, key, f, have, h, progress):
    with bucket.open(key, start=have) as answer:
        if have and answer.status != 206:
            f.truncate(0)
            have, h = 0, hashlib.sha256()
        while True:
            if bucket.stop.is_set():
                raise s3.Stopped()
            chunk = answer.read(CHUNK)
            if not chunk:
                return have, h
            _local(lambda: f.write(chunk))
            h.update(chunk)
            have += len(chunk)
            progress.add(len(chunk))


def _local(call):
    """Tells an error of the disk from one of the network."""
    try:
        call()
    except OSError as err:
        raise DiskError("cannot write: %s" % err) from None


def _length(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def _free(folder):
    stat = os.statvfs(folder)
    return max(stat.f_bavail * stat.f_frsize - KEEP_FREE, 0)
