"""Reading a file as a stream: bytes in, lines with their fields out, in constant memory.

What is wrong with one line refuses that line. What makes it doubtful where lines begin and end fails the file.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from app.errors.domain import InvalidInput, MalformedJson
from app.goods.imports.lines import ImportLine, LineRules
from app.goods.imports.options import FIELDS, ImportOptions
from app.rest.json_text import parse_json

MOST_CHARACTERS = 1 << 20  # of a line, and of a record that spans lines
_SHOWN_COLUMNS = 20

# The limit of a cell is for the whole process. A record's own limit comes first.
csv.field_size_limit(2 * MOST_CHARACTERS)


class ImportFileError(Exception):
    """The file as a whole can't be imported. `line` is where, from 1, where that is known."""

    def __init__(self, line: int | None, detail: str) -> None:
        super().__init__(detail)
        self.line = line
        self.detail = detail


class LineReader:
    """Iterates over a file's lines. Raises ImportFileError on the way.

    `header` is a CSV file's first record as it came, once the first line was asked for.
    """

    def __init__(self, chunks: Iterable[bytes], options: ImportOptions) -> None:
        self.header: str | None = None
        self._options = options
        self._rules = LineRules(options)
        self._text = _Text(chunks, options.encoding)

    def __iter__(self) -> Iterator[ImportLine]:
        return self._csv_lines() if self._options.format == "csv" else self._json_lines()

    def _csv_lines(self) -> Iterator[ImportLine]:
        records = csv.reader(self._text, delimiter=self._options.delimiter, strict=True)
        columns: dict[str, int] = {}
        width = 0
        while True:
            number = self._text.begin_record()
            try:
                cells = next(records)
            except StopIteration:
                break
            except csv.Error:
                if self._text.ended:
                    raise ImportFileError(number, "a quote that opens in this line is never closed") from None
                cells = None
            if cells == []:
                continue
            raw = self._text.record()
            if self.header is None:
                columns = self._columns(number, cells)
                self.header, width = raw, len(cells or ())
            elif cells is None:
                yield ImportLine(number, raw, problem="the quotes are wrong: a quote inside a quoted cell is doubled")
            elif len(cells) != width:
                yield ImportLine(number, raw, problem=f"has {len(cells)} cells, the header has {width}")
            else:
                given = {field: cells[place] for field, place in columns.items()}
                yield self._rules.line(number, raw, given)
        if self.header is None:
            raise ImportFileError(1, "the file is empty: a CSV file begins with a header that names its columns")

    def _columns(self, number: int, cells: list[str] | None) -> dict[str, int]:
        """Where each field's column is. Raises ImportFileError when the header can't serve."""
        names = [cell.strip() for cell in cells or ()]
        if not any(names):
            raise ImportFileError(number, "the header names no columns")
        there = f"there are {', '.join(names[:_SHOWN_COLUMNS])}"
        for name in names:
            if name and names.count(name) > 1:
                raise ImportFileError(number, f"the header has the column {name!r} more than once")
        for field, name in self._options.columns.items():
            if name not in names:
                raise ImportFileError(
                    number, f"the header has no column {name!r}, which {field} is to come from; {there}"
                )
        places = {field: names.index(name) for field, name in _sources(self._options).items() if name in names}
        if "sku" not in places:
            raise ImportFileError(number, f"no column is mapped to sku, and none is called so; {there}")
        return places

    def _json_lines(self) -> Iterator[ImportLine]:
        sources = _sources(self._options)
        while True:
            number = self._text.begin_record()
            text = next(self._text, None)
            if text is None:
                return
            raw = self._text.record()
            if raw.strip():
                yield self._json_line(number, raw, sources)

    def _json_line(self, number: int, raw: str, sources: Mapping[str, str]) -> ImportLine:
        try:
            document: Any = parse_json(raw.encode())
        except (MalformedJson, UnicodeEncodeError):
            return ImportLine(number, raw, problem="is not a JSON document (RFC 8259)")
        except InvalidInput as error:
            return ImportLine(number, raw, problem=f"{error.faults[0].place}: {error.faults[0].detail}")
        if not isinstance(document, dict):
            return ImportLine(number, raw, problem="is not a JSON object")
        given = {field: document[key] for field, key in sources.items() if key in document}
        return self._rules.line(number, raw, given)


def _sources(options: ImportOptions) -> dict[str, str]:
    """The column of each field that may come from one."""
    return {field: options.columns.get(field, field) for field in FIELDS if field not in options.constants}


class _Text:
    """The file's lines as text, line ends included, with the raw text of the record that is being read."""

    def __init__(self, chunks: Iterable[bytes], encoding: str) -> None:
        codec = "utf-8-sig" if encoding == "utf-8" else encoding
        raw = io.BufferedReader(_Chunks(chunks))
        self._stream = io.TextIOWrapper(raw, encoding=codec, errors="strict", newline="")
        self._read = 0  # lines
        self._record: list[str] = []
        self._length = 0
        self.ended = False

    def begin_record(self) -> int:
        """Forget the record before, and give the number of the line where the next one begins."""
        self._record.clear()
        self._length = 0
        return self._read + 1

    def record(self) -> str:
        """The record's text, without its line end."""
        return "".join(self._record).rstrip("\r\n")

    def __iter__(self) -> "_Text":
        return self

    def __next__(self) -> str:
        try:
            line = self._stream.readline(MOST_CHARACTERS + 1)
        except UnicodeError as error:
            raise ImportFileError(*self._undecodable(error)) from None
        if not line:
            self.ended = True
            raise StopIteration
        self._read += 1
        self._length += len(line)
        if self._length > MOST_CHARACTERS:
            first = self._read - len(self._record)
            raise ImportFileError(first, "a record that begins in this line is over 1 MiB: is a quote not closed?")
        if "\0" in line:
            raise ImportFileError(self._read, "the line holds NUL: is the file in another encoding, or no text?")
        self._record.append(line)
        return line

    def _undecodable(self, error: UnicodeError) -> tuple[int, str]:
        line = self._read + 1
        if isinstance(error, UnicodeDecodeError):
            before = error.object[: error.start].decode(error.encoding, "replace")
            line += before.count("\n") or before.count("\r")
        return line, f"the text is not {self._stream.encoding.removesuffix('-sig')}: say which encoding it is in"


class _Chunks(io.RawIOBase):
    """Chunks of bytes as a stream."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._left = memoryview(chunk)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count
