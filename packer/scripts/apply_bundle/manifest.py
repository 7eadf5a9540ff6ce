"""The manifest of a bundle, and which paths it may name."""

import collections
import json
import re
import unicodedata

# Kinds of asset with the folder that each is meant for.
KINDS = {
    "checkpoint": "models/checkpoints",
    "lora": "models/loras",
    "vae": "models/vae",
    "embedding": "models/embeddings",
    "controlnet": "models/controlnet",
    "custom_node": "custom_nodes",
    "other": "models/other",
}
ACTIONS = ("copy", "extract_zip", "extract_tar_gz")
MAX_BYTES = 16 << 20
MAX_ASSETS = 10000

# Folders that stay when a bundle leaves them empty.
FOLDERS = frozenset(KINDS.values()) | {"models"}

# First parts of a path that no bundle may write: the programs of the image.
RESERVED = ("bin", "venv")

Asset = collections.namedtuple("Asset", "kind sha256 key target action")


class Refused(Exception):
    """What was asked for is unsafe or malformed; nothing was changed."""


def fault(path):
    """Says why a path is unsafe, or None. It is relative, with / between parts."""
    if not isinstance(path, str) or not path:
        return "is empty or no text"
    if path.startswith("/"):
        return "is absolute"
    if "\\" in path:
        return "has a backslash"
    # Cc: control characters, a line end among them; Cs: bytes that are no UTF-8.
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in path):
        return "has a control character or is no UTF-8"
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "has an empty, '.' or '..' part"
    if len(path.encode()) > 1024 or any(len(part.encode()) > 255 for part in parts):
        return "is too long"
    return None


def reserved(path):
    """Tells whether a safe path belongs to the image or to this program."""
    first = path.split("/")[0]
    return first in RESERVED or first.startswith(".")


def parse(body, bundle_id):
    """Returns the assets of a manifest, or raises Refused with all its faults."""
    try:
        document = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as err:
        raise Refused("the manifest is no JSON: %s" % err) from None
    if not isinstance(document, dict):
        raise Refused("the manifest is no JSON object")
    if type(document.get("manifest_version")) is not int or document["manifest_version"] != 1:
        raise Refused("manifest_version is %.40r, this program reads 1" % (document.get("manifest_version"),))
    if document.get("bundle_id") != bundle_id:
        raise Refused("the manifest is of bundle %.80r, not %s" % (document.get("bundle_id"), bundle_id))
    entries = document.get("assets")
    if not isinstance(entries, list) or len(entries) > MAX_ASSETS:
        raise Refused("assets is no list of at most %d" % MAX_ASSETS)
    faults, assets = [], []
    for i, entry in enumerate(entries):
        asset, wrong = _asset(entry)
        faults += ["assets[%d]: %s" % (i, text) for text in wrong]
        assets.append(asset)
    if not faults:
        faults = _collisions(assets)
    if faults:
        more = [] if len(faults) <= 10 else ["and %d more" % (len(faults) - 10)]
        raise Refused("the manifest is refused:\n  " + "\n  ".join(faults[:10] + more))
    return assets


def _asset(entry):
    if not isinstance(entry, dict):
        return None, ["is no object"]
    kind, sha, target = entry.get("kind"), entry.get("sha256"), entry.get("target_path")
    action = entry.get("action") or "copy"
    wrong = []
    if not isinstance(kind, str) or kind not in KINDS:
        wrong.append("kind %.40r is none of %s" % (kind, ", ".join(KINDS)))
    if not isinstance(sha, str) or not re.fullmatch("[0-9a-f]{64}", sha):
        wrong.append("sha256 %.80r is not 64 lower-case hex digits" % (sha,))
    if action not in ACTIONS:
        wrong.append("action %.40r is none of %s" % (action, ", ".join(ACTIONS)))
    elif action != "copy" and isinstance(target, str) and target.endswith("/"):
        target = target[:-1]
    if fault(target):
        wrong.append("target_path %.120r %s" % (target, fault(target)))
    elif reserved(target):
        wrong.append("target_path %r belongs to the image, not to bundles" % target)
    key = entry.get("asset_s3_key")
    if not wrong and key != "assets/%s/%s" % (kind, sha):
        wrong.append("asset_s3_key %.160r is not assets/%s/%s" % (key, kind, sha))
    return Asset(kind, sha, key, target, action), wrong


def _collisions(assets):
    copies = [a.target for a in assets if a.action == "copy"]
    return collisions(copies + [a.target + "/" for a in assets if a.action != "copy"])


def collisions(paths):
    """Says which paths cannot stand side by side. One that ends in / is a folder,
    which others may share."""
    faults, files, folders = [], set(), set()
    for path in paths:
        name = path.rstrip("/")
        parts = name.split("/")
        folders.update("/".join(parts[:n]) for n in range(1, len(parts)))
        if path.endswith("/"):
            folders.add(name)
        elif name in files:
            faults.append("two assets want the path %r" % name)
        else:
            files.add(name)
    return faults + ["%r would be a file and a folder" % name for name in sorted(files & folders)]
