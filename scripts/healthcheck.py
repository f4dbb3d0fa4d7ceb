"""Whether the service in this container is alive, for the HEALTHCHECK of its image, which has no curl."""

import os
import sys
from contextlib import closing
from http.client import HTTPConnection, HTTPException


def main() -> int:
    address = ("127.0.0.1", int(os.environ.get("PORT") or 8000))
    try:
        with closing(HTTPConnection(*address, timeout=4)) as connection:
            connection.request("GET", "/healthz")
            return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException) as fault:
        print(fault, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
