# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy on the sources of src/ (or those named) and remembers which were found clean.

Arguments: a build folder with compile_commands.json, then .cpp files. What is remembered is a hash
of the preprocessed source, the command and the configuration, in the build folder.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import shlex
import subprocess
import sys

TIDY = "clang-tidy-14"


def main(build, wanted):
    clean = build / "clang-tidy-clean"
    clean.mkdir(exist_ok=True)
    root = pathlib.Path.cwd()
    commands = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    entries = [entry for entry in commands if _is_wanted(root, entry["file"], wanted)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda entry: _tidy(build, clean, entry), entries))
    failed = [output for output in results if output]
    print("".join(dict.fromkeys(failed)), end="")
    print(f"clang-tidy: {len(entries)} files, {len(failed)} with findings, "
          f"{sum(output is None for output in results)} known to be clean")
    return 1 if failed or not entries else 0


def _is_wanted(root, name, wanted):
    path = pathlib.Path(name)
    if not path.is_relative_to(root / "src"):
        return False
    return not wanted or any((root / one).resolve() == path for one in wanted)


def _tidy(build, clean, entry):
    """What clang-tidy says about one source: "" if nothing, None if that was known."""
    mark = clean / _fingerprint(entry)
    if mark.exists():
        return None
    run = subprocess.run([TIDY, "--quiet", "-p", build, entry["file"]], cwd=entry["directory"],
                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    if run.returncode == 0:
        mark.touch()
        return ""
    return run.stdout or f"{entry['file']}: {TIDY} failed\n"


def _fingerprint(entry):
    words = shlex.split(entry["command"])
    if pathlib.Path(words[0]).name == "ccache":
        words = words[1:]
    output = words.index("-o")
    words[output : output + 2] = ["-E", "-o", "-"]
    source = subprocess.run(words, cwd=entry["directory"], stdout=subprocess.PIPE, check=True).stdout
    config = pathlib.Path(".clang-tidy").read_bytes()
    return hashlib.sha256(b"\0".join([entry["command"].encode(), config, source])).hexdigest()


if __name__ == "__main__":
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]))
