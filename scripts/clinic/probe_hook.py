"""Run by the patient's python, once for each file that it would run as it starts: what becomes of it alone.

Old syntax, standard library only. Called as `python -I -S -B probe_hook.py SITE_PACKAGES NAME`, where NAME is a `.pth`
file, or the module sitecustomize or usercustomize. A hook that ends the process ends it before the last answer.
"""

import sys


def main(folder: "str", name: "str") -> None:
    """Where the hook lies, flushed; then its error (empty where it has none), once it has run."""
    import os
    import site

    if name.endswith(".pth"):
        _say({"origin": os.path.join(folder, name)})  # noqa: PTH118
        site.addpackage(folder, name, set())
        _say({"error": ""})  # a line that raises is told by site itself
        return
    sys.path.append(folder)
    from importlib.util import find_spec

    found = find_spec(name)
    _say({"origin": found and found.origin})
    error = ""
    try:
        __import__(name)
    except Exception as raised:  # noqa: BLE001 - as site does, which lets anything else end the interpreter
        error = type(raised).__name__ + ": " + str(raised).split("\n")[0]
    _say({"error": error})


def _say(told: "dict[str, object]") -> None:
    import json

    out = sys.__stdout__
    if out is not None:
        out.write("\n@clinic@ " + json.dumps(told) + "\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
