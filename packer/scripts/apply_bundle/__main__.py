"""Installs a bundle below a folder; apply-bundle.sh beside it says how it is called."""

import collections
import datetime
import fcntl
import json
import os
import resource
import shutil
import signal
import sys
import threading

if sys.version_info < (3, 8):
    sys.exit("apply-bundle: Python %d.%d is too old, 3.8 is needed" % sys.version_info[:2])
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import archives  # noqa: E402
import fetch  # noqa: E402
import manifest  # noqa: E402
import s3  # noqa: E402
import switch  # noqa: E402
from manifest import Refused  # noqa: E402

# What an archive's header or a manifest may make this program take, in bytes.
MEMORY = 3 << 30

Options = collections.namedtuple("Options", "bucket prefix bundle_id root log parallel limits")


class Locked(Exception):
    """Another run is at work below the same root."""


class Stop(threading.Event):
    """The wish to end the run. A switch takes no time and is not broken off for it."""

    held = False

    def signal(self, *_):
        first = not self.is_set()
        self.set()
        if first and not self.held:
            raise s3.Stopped()

    def check(self):
        if self.is_set():
            raise s3.Stopped()


class Log:
    """Lines with the time, on standard output and in the file of the platform."""

    def __init__(self, path):
        self.path = path

    def __call__(self, text):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        line = "%s apply-bundle: %s\n" % (now, text)
        sys.stdout.write(line)
        sys.stdout.flush()
        if self.path:
            try:
                with open(self.path, "a", encoding="utf-8", errors="backslashreplace") as f:
                    f.write(line)
            except OSError as err:
                self.path = ""
                self("no log file: %s" % err)


def options(environ):
    """Reads the environment."""
    prefix = environ["BUNDLE_PREFIX"].rstrip("/")
    folder, _, bundle_id = prefix.partition("/")
    if folder != "bundles" or manifest.fault(bundle_id) or "/" in bundle_id:
        raise Refused("BUNDLE_PREFIX %r is not bundles/ID" % environ["BUNDLE_PREFIX"])
    root = os.path.realpath(environ.get("INSTALL_ROOT") or "/opt/comfyui")
    if root == "/":
        raise Refused("INSTALL_ROOT is the root of the file system")
    limits = archives.Limits(_number(environ, "ARCHIVE_MAX_ENTRIES", 100000), _number(environ, "ARCHIVE_MAX_BYTES", 64 << 30))
    log = environ.get("ASSET_SYNC_LOG", "/var/log/comfyui-asset-sync.log")
    return Options(environ["MODELS_BUCKET"], prefix, bundle_id, switch.Root(root), Log(log),
                   _number(environ, "PARALLEL_DOWNLOADS", 4), limits)


def _number(environ, name, default):
    text = environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise Refused("%s %r is no number above zero" % (name, text))
    return int(text)


def lock(root):
    """Takes the lock, which ends with the process. Returns the open file."""
    if not os.path.isdir(root.path):
        raise Refused("INSTALL_ROOT %s is no folder: is this a ComfyUI image?" % root.path)
    if os.path.islink(root.state):
        raise Refused("%s is a symbolic link" % root.state)
    os.makedirs(root.state, mode=0o700, exist_ok=True)
    f = open(os.path.join(root.state, "lock"), "a+", encoding="utf-8")
    try:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        f.seek(0)
        raise Locked("another run is at work here (process %s); wait for it, then run the same command again" % (f.read(20) or "unknown")) from None
    f.truncate(0)
    f.write(str(os.getpid()))
    f.flush()
    return f


def kept(root, assets):
    """Returns the files of each asset that is installed already and unchanged."""
    try:
        with open(root.record, encoding="utf-8") as f:
            record = json.load(f)["assets"]
    except (FileNotFoundError, ValueError, KeyError):
        return {}
    known = {(r["sha256"], r["target_path"], r["action"]): r["files"] for r in record}
    out = {}
    for asset in assets:
        files = known.get((asset.sha256, asset.target, asset.action))
        if files and all(root.below(p) is None and switch.fingerprint(root.at(p)) == mark for p, mark in files.items()):
            out[asset] = sorted(files)
    return out


def stage(root, assets, opts, stop):
    """Unpacks and copies until every path has a staged file of its own.
    Returns {asset: {path: staged}}, staged relative to the state folder."""
    out, taken = {}, set()
    for n, asset in enumerate(assets):
        blob = fetch.blob(root.staging, asset.sha256)
        if asset.action == "copy":
            if asset.sha256 in taken:
                blob += ".%d" % n
                shutil.copyfile(fetch.blob(root.staging, asset.sha256), blob)
            taken.add(asset.sha256)
            os.chmod(blob, 0o644)
            root.own(blob)
            out[asset] = {asset.target: os.path.relpath(blob, root.state)}
            continue
        folder = os.path.join(root.staging, "unpacked.%d" % n)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            files = archives.unpack(blob, asset.action, folder, opts.limits, stop.check)
        except Refused as err:
            raise Refused("%s: %s" % (asset.key, err)) from None
        for name in files:
            root.own(os.path.join(folder, name))
        out[asset] = {asset.target + "/" + name: os.path.relpath(os.path.join(folder, name), root.state) for name in files}
    return out


def check_paths(root, paths):
    """Refuses paths that cannot stand side by side or lead through a link."""
    faults = manifest.collisions(paths)
    faults += sorted({root.below(path) for path in paths} - {None})
    faults += ["%r is too long" % p for p in paths if manifest.fault(p)]
    if faults:
        raise Refused("the bundle's paths are refused:\n  " + "\n  ".join(faults[:10]))


def install(opts, stop):
    """Brings the bundle; everything before the switch leaves what is installed alone."""
    root, log = opts.root, opts.log
    stop.held = True
    switch.recover(root, log)
    stop.held = False
    bucket = s3.Bucket(opts.bucket, os.environ, stop)
    key = opts.prefix + "/manifest.json"
    assets = manifest.parse(bucket.read(key, manifest.MAX_BYTES), opts.bundle_id)
    check_paths(root, [a.target for a in assets if a.action == "copy"])
    keeps = kept(root, assets)
    missing = [a for a in assets if a not in keeps]
    keys = {a.sha256: a.key for a in missing}
    os.makedirs(root.staging, mode=0o700, exist_ok=True)
    for name in os.listdir(root.staging):
        if name not in {sha + end for sha in keys for end in (".blob", ".part")}:
            path = os.path.join(root.staging, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
    fetch.fetch_all(bucket, keys, root.staging, opts.parallel, log)
    staged = stage(root, missing, opts, stop)
    puts = {path: name for files in staged.values() for path, name in files.items()}
    files = {a: keeps.get(a) or sorted(staged[a]) for a in assets}
    check_paths(root, [path for a in assets for path in files[a]])
    journal = {
        "bundle_id": opts.bundle_id,
        "operations": switch.operations(root, puts, [p for a in keeps for p in keeps[a]], log),
        "assets": [{"sha256": a.sha256, "target_path": a.target, "action": a.action, "files": files[a]} for a in assets],
    }
    stop.held = True
    stop.check()
    log("%d assets are as they were, switching %d paths" % (len(keeps), len(journal["operations"])))
    switch.run(root, journal, log)


def main():
    """Returns the exit status."""
    stop = Stop()
    log = Log("")
    try:
        opts = options(os.environ)
        log = opts.log
        with lock(opts.root):
            signal.signal(signal.SIGTERM, stop.signal)
            signal.signal(signal.SIGINT, stop.signal)
            log("bundle %s from %s into %s" % (opts.bundle_id, opts.bucket, opts.root.path))
            install(opts, stop)
            log("bundle %s is installed" % opts.bundle_id)
            return 0
    except Refused as err:
        return failed(log, opts_root(os.environ), "refused: %s" % err, 2)
    except Locked as err:
        log("FAILED: %s" % err)
        return 75
    except s3.Stopped:
        return failed(log, opts.root, "stopped; the same command goes on where it was", 1)
    except (s3.S3Error, switch.SwitchError) as err:
        return failed(log, opts.root, str(err), 1)
    except (fetch.DiskError, OSError) as err:
        if not switch.unfinished(opts.root):
            # A full disk must not keep the worker from working.
            shutil.rmtree(opts.root.staging, ignore_errors=True)
        return failed(log, opts.root, str(err), 1)


def opts_root(environ):
    return switch.Root(os.path.realpath(environ.get("INSTALL_ROOT") or "/opt/comfyui"))


def failed(log, root, why, status):
    """Tells what went wrong and what is installed now."""
    log("FAILED: %s" % why)
    before = root.active()
    if switch.unfinished(root):
        log("the files are between two bundles: do not start ComfyUI; run the same command again, it finishes or undoes the switch")
        return status
    log("bundle %s stays installed, whole" % before if before else "no bundle was installed before, and none is now")
    return status


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    bound = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, bound))
    sys.exit(main())
