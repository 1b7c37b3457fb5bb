"""Run BY a python that is being examined: says who it is, as one line of JSON after a mark.

Standard library only, and syntax of Python 3.0 and up: the patient may be old, and its site-packages may be what is
broken. Called as `python -I -B probe.py [MODULE...]`: the modules named are imported and the failures told; one named
as "-m MODULE" is run as `python -m MODULE --version` is. Modules that print while they start, or while they are
imported, do no harm, because the answer follows a mark.
"""

# ruff: noqa: PTH119, BLE001 - runs where pathlib may be what is broken; whatever fails is told
import sys


def identity() -> "dict[str, object]":
    """Who this interpreter is. `-I -S` works too; then prefix is the base's up to 3.13."""
    import os

    flags = getattr(sys, "abiflags", "")
    base = getattr(sys, "base_prefix", sys.prefix)
    site = [
        entry
        for entry in sys.path
        if os.path.basename(entry) in ("site-packages", "dist-packages") and not _below(entry, sys.prefix)
    ]
    return {
        "executable": sys.executable,
        "real": os.path.realpath(sys.executable or ""),
        "version": list(sys.version_info[:3]),
        "version_text": ".".join(map(str, sys.version_info[:3])) + _level(sys.version_info),
        "implementation": sys.implementation.name if hasattr(sys, "implementation") else "cpython",
        "free_threaded": _free_threaded(flags),
        "abiflags": flags,
        "prefix": sys.prefix,
        "base_prefix": base,
        "base_executable": getattr(sys, "_base_executable", None),
        "bits": 64 if sys.maxsize > 2**32 else 32,
        "platform": sys.platform,
        "base_site": site,
        "user_site": bool(getattr(sys.modules.get("site"), "ENABLE_USER_SITE", False)),
        "path": list(sys.path),
    }


def _level(info: "tuple[int, int, int, str, int]") -> str:
    return "" if info[3] == "final" else {"alpha": "a", "beta": "b", "candidate": "rc"}.get(info[3], "") + str(info[4])


def _below(entry: str, prefix: str) -> bool:
    import os

    return (os.path.normcase(entry) + os.sep).startswith(os.path.normcase(prefix) + os.sep)


def _free_threaded(flags: str) -> bool:
    if sys.version_info < (3, 13):
        return False
    if "t" in flags:
        return True
    import sysconfig

    return sysconfig.get_config_var("Py_GIL_DISABLED") == 1


def imports(names: "list[str]") -> "list[list[str]]":
    """Import or run each module; the error's last line where it fails, an empty text where it does not."""
    outcome = []
    for name in names:
        try:
            if name.startswith("-m "):
                outcome.append([name, version(name[3:])])
                continue
            __import__(name)
            outcome.append([name, ""])
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            outcome.append([name, type(error).__name__ + ": " + str(error).split("\n")[0]])
    return outcome


def version(name: str) -> str:
    """What is wrong with `-m NAME --version`: an exit code that is not 0, or not a word said."""
    import io
    import runpy

    kept, said = (sys.argv, sys.stdout, sys.stderr), io.StringIO()
    sys.argv, sys.stdout, sys.stderr = [name, "--version"], said, said
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
        code = None
    except SystemExit as end:
        code = end.code
    finally:
        sys.argv, sys.stdout, sys.stderr = kept
    if code:
        return "exit code " + str(code)
    return "" if said.getvalue().strip() else "it says nothing"


def _start_without_files() -> None:
    """What `-S` left out, less every file of the environment: then only pyvenv.cfg says who this is."""
    import site

    def nothing(*_: "object") -> None:
        pass

    vars(site).update(addpackage=nothing, execsitecustomize=nothing, execusercustomize=nothing)
    site.main()


BARE = "--without-start-up-files"


def main(names: "list[str]") -> None:
    """Identity first, and flushed, so that an import that kills the process does not take it along."""
    import json
    import time

    if names[:1] == [BARE]:
        names = names[1:]
        _start_without_files()
    _say(json.dumps({"identity": identity()}))
    if names:
        started = time.time()
        found = imports(names)
        _say(json.dumps({"imports": found, "seconds": time.time() - started}))


MARK = "\n@clinic@ "


def _say(text: str) -> None:
    out = sys.__stdout__
    if out is not None:
        out.write(MARK + text + "\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
