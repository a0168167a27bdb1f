"""Ask this machine's own service one of its health questions: `python -m app.health.probe /readyz`.

For health checks inside a container, where there is neither curl nor a shell to rely on. Exits with 0 when the answer
is 200, and with 1 and one line otherwise. Imports next to nothing, because it runs every few seconds.
"""

import http.client
import os
import sys

_SECONDS = 3.0


def main(arguments: list[str]) -> int:
    """Ask for the path given, `/readyz` without one, at API_PORT."""
    path = arguments[0] if arguments else "/readyz"
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ.get("API_PORT", "8000")), timeout=_SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except OSError as error:
        return _fail(f"{path}: {error}")
    finally:
        connection.close()
    return 0 if status == http.client.OK else _fail(f"{path}: {status}")


def _fail(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
