"""Run by the patient's python: which cached bytecode does not load. Old syntax, standard library only.

Bytecode that does not fit its source is written anew when it is next imported; only what would be loaded counts.
"""

import sys

_HEADER = 16


def _is_due(data: "bytes", source: "str") -> "bool":
    """Whether the interpreter would load it: of this version, and of the source as it lies there."""
    import os
    from importlib.util import MAGIC_NUMBER

    if data[:4] != MAGIC_NUMBER or len(data) < _HEADER:  # written anew, too
        return False
    if data[4] & 1:
        return True
    try:
        status = os.stat(source)  # noqa: PTH116
    except OSError:
        return False
    when = int.from_bytes(data[8:12], "little")
    size = int.from_bytes(data[12:16], "little")
    return when == int(status.st_mtime) & 0xFFFFFFFF and size == status.st_size & 0xFFFFFFFF


def _loads(data: "bytes") -> "bool":
    import marshal

    try:
        return hasattr(marshal.loads(data[_HEADER:]), "co_code")  # noqa: S302 - as an import would
    except Exception:  # noqa: BLE001 - whatever it raises, an import would raise it too
        return False


def _bad(folder: "str", tag: "str") -> "list[str]":
    import os

    found = []
    for root, folders, files in os.walk(folder):
        folders.sort()
        if os.path.basename(root) != "__pycache__":  # noqa: PTH119
            continue
        for name in sorted(files):
            if not name.endswith(".pyc") or ("." + tag + ".") not in name:
                continue
            path = os.path.join(root, name)  # noqa: PTH118
            source = os.path.join(os.path.dirname(root), name.split(".")[0] + ".py")  # noqa: PTH118, PTH120
            if not os.path.isfile(path):  # noqa: PTH113 - a pipe would be waited for
                continue
            try:
                with open(path, "rb") as stream:  # noqa: PTH123
                    data = stream.read()
            except OSError:
                continue
            if _is_due(data, source) and not _loads(data):
                found.append(path)
    return found


def main(folder: "str") -> "None":
    """Print the paths of bytecode that does not load, as JSON."""
    import json

    sys.stdout.write("\n@clinic@ " + json.dumps({"bytecode": _bad(folder, sys.implementation.cache_tag or "")}) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
