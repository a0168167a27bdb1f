"""Entry point: `python main.py` serves; any ASGI server can take `main:app` when a database is configured."""

from app.application import create_app
from app.cli import main

if __name__ == "__main__":
    main(["serve"])
elif __name__ != "__mp_main__":  # as which the workers of `python main.py` see this file
    app = create_app()
