"""Entry point: `python main.py` serves; any ASGI server can take `main:app` when a database is configured."""

from app.application import create_app
from app.cli import main

if __name__ == "__main__":
    main(["serve"])
else:
    app = create_app()
