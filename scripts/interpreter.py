"""Whether the Python that runs this is compiled with a profile of what it does; exit status 0 if it is.

Distributions do that to theirs. Who builds one from source (pyenv does) has to ask for it with
``--enable-optimizations``; without, everything takes a quarter to a half longer.
"""

import sys
import sysconfig


def is_optimized() -> bool:
    asked = sysconfig.get_config_var("CONFIG_ARGS") or ""
    return "--enable-optimizations" in asked or sys.base_prefix == "/usr"


if __name__ == "__main__":
    sys.exit(not is_optimized())
