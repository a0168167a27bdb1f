"""Whom Alertmanager tells, in place of Slack, Telegram, a mail server and a heartbeat; and what Loki says of itself."""

import email
import email.policy
import json
import re
import socketserver
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

_TITLE = re.compile(r"(CRITICAL|WARNING|INFO|RESOLVED)(?: \[[\w-]+\])? (\w+): ")


class Told(NamedTuple):
    """One notification as it arrived."""

    channel: str
    status: str  # firing or resolved
    alert: str
    text: str


@dataclass
class People:
    """Everybody who was told anything."""

    heard: list[Told] = field(default_factory=list)
    heartbeats: int = 0
    refused: int = 0
    deaf: set[str] = field(default_factory=set)  # channels that answer 500
    lines: int = 0  # that "Loki" has received
    http: str = ""
    smtp: str = ""
    wrong: list[str] = field(default_factory=list)  # what arrived and could not be understood

    def hear(self, channel: str, title: str, text: str) -> None:
        found = _TITLE.search(title)
        if found is None:
            self.wrong.append(f"{channel}: {title!r}")
            return
        status = "resolved" if found[1] == "RESOLVED" else "firing"
        self.heard.append(Told(channel, status, found[2], text))

    def count(self) -> Counter[tuple[str, str, str]]:
        """How often each channel was told of each alert, and of its end."""
        return Counter((told.channel, told.status, told.alert) for told in self.heard)

    def told(self, alert: str, status: str) -> set[str]:
        return {told.channel for told in self.heard if (told.alert, told.status) == (alert, status)}


def _http(people: People) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name for it
            """Say nothing."""

        def answer(self, status: HTTPStatus, body: str, kind: str = "text/plain; version=0.0.4") -> None:
            content = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            people.lines += 10
            self.answer(HTTPStatus.OK, f'loki_distributor_lines_received_total{{tenant="fake"}} {people.lines}\n')

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            channel = self.path.split("/")[1].split("123456")[0]
            if channel in people.deaf:
                people.refused += 1
                self.answer(HTTPStatus.INTERNAL_SERVER_ERROR, "{}")
                return
            if channel == "slack":
                attachment = body["attachments"][0]
                people.hear("slack", attachment["title"], attachment["text"])
                self.answer(HTTPStatus.OK, "ok")
            elif channel == "bot":
                assert body["parse_mode"] == "HTML"
                people.hear("telegram", body["text"], body["text"])
                message = {"message_id": 1, "date": 0, "chat": {"id": int(body["chat_id"]), "type": "group"}}
                self.answer(HTTPStatus.OK, json.dumps({"ok": True, "result": message}), "application/json")
            else:
                people.heartbeats += body["alerts"][0]["labels"]["alertname"] == "Watchdog"
                self.answer(HTTPStatus.OK, "{}")

    return Handler


def _smtp(people: People) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        """As much of RFC 5321 as a client needs who has one message to deliver."""

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 sink")
            for line in self.rfile:
                match line.strip().upper().split(b" ")[0]:
                    case b"DATA":
                        self.say("354 go on")
                        self.take()
                        self.say("250 taken")
                    case b"QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("250 sink")

        def take(self) -> None:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line)
            message = email.message_from_bytes(b"".join(lines), policy=email.policy.default)
            html = message.get_body(("html",))
            people.hear("e-mail", str(message["Subject"]), "" if html is None else html.get_content())

    return Handler


class _Smtp(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def listening() -> Iterator[People]:
    """People who can be told, for as long as the block runs."""
    people = People()
    with ThreadingHTTPServer(("127.0.0.1", 0), _http(people)) as http, _Smtp(("127.0.0.1", 0), _smtp(people)) as smtp:
        people.http = f"http://127.0.0.1:{http.server_address[1]}"
        people.smtp = f"127.0.0.1:{smtp.server_address[1]}"
        threads = [threading.Thread(target=server.serve_forever) for server in (http, smtp)]
        for thread in threads:
            thread.start()
        try:
            yield people
        finally:
            http.shutdown()
            smtp.shutdown()
            for thread in threads:
                thread.join(10)
