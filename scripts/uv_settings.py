"""Print pip's settings as the shell assignments uv understands: uv does not read pip's files.

    python scripts/uv_settings.py [KEY ...]       all of NAMES, or the named ones only

What already stands in the environment for uv wins. Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import ast
import os
import shlex
import subprocess
import sys

NAMES = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "no-index": ("UV_NO_INDEX", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
}
SECTIONS = ("global", "install", ":env:")
"""The later one wins, as with pip."""


def translate(listing: str) -> dict[str, str]:
    """From ``pip config list`` (lines such as ``global.index-url='...'``) to variables of uv."""
    found: dict[tuple[str, str], str] = {}
    for line in listing.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        found[section, key] = ast.literal_eval(value)
    settings = {}
    for section in SECTIONS:
        for key, (variable, separator) in NAMES.items():
            if (section, key) in found:
                settings[variable] = separator.join(found[section, key].split())
    return settings


def main() -> None:
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False)
    settings = translate(listing.stdout)
    # pip looks at all indexes alike, uv at the first that knows the name; the lock's hashes make both safe.
    settings["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    wanted = {NAMES[key][0] for key in sys.argv[1:]} or settings.keys()
    for variable, value in settings.items():
        if variable in wanted and variable not in os.environ:
            print(f"export {variable}={shlex.quote(value)}")


if __name__ == "__main__":
    main()
