"""`goods import`: what a file would do is shown, then done whole, or not at all."""

import csv
import os
import pty
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Program

REAL_FILE = Path(__file__).parents[3] / "shared" / "data" / "online_retail.csv"
_MAPPING = ("--map", "sku=StockCode,name=Description,price=UnitPrice,stock=Quantity", "--set", "category=retail")


def counted(output: str) -> dict[str, int]:
    """The numbers of the summary."""
    words = (line.split() for line in output.splitlines())
    names = ("created", "updated", "unchanged", "refused")
    return {pair[0]: int(pair[1].replace(",", "")) for pair in words if len(pair) == 2 and pair[0] in names}


def file_of(folder: Path, text: str, *, encoding: str = "utf-8", name: str = "goods.csv") -> str:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return str(path)


async def test_a_real_retailers_file_twice(goods: Program, connection: Any) -> None:
    if not REAL_FILE.exists():
        pytest.skip("not run: the retailer's file is not ours to ship, and it is not here")
    first = goods.run("import", str(REAL_FILE), *_MAPPING, "--yes")
    assert first.returncode == 0, first.stderr
    assert counted(first.stdout) == {"created": 3885, "updated": 386, "unchanged": 0, "refused": 521}

    # The same file read by nothing of ours: the last line of each code whose quantity and price can be one.
    expected: dict[str, tuple[Decimal, int]] = {}
    with REAL_FILE.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            price, quantity = Decimal(row["UnitPrice"]), int(row["Quantity"])
            if quantity >= 0 and price >= 0 and price == round(price, 2):
                expected[row["StockCode"]] = (price, quantity)
    stored = {row["sku"]: (row["price"], row["stock"]) for row in await connection.fetch("SELECT * FROM goods")}
    assert stored == expected
    assert await connection.fetchval("SELECT count(*) FROM goods WHERE category = 'retail'") == len(expected)
    ledger = await connection.fetch(
        "SELECT g.sku FROM goods g LEFT JOIN stock_movements m ON m.goods_id = g.id"
        " GROUP BY g.id HAVING g.stock <> coalesce(sum(m.delta), 0)"
    )
    assert ledger == []
    assert await connection.fetchval("SELECT count(*) FROM changes") == 3885

    again = goods.run("import", str(REAL_FILE), *_MAPPING, "--yes")
    assert again.returncode == 0, again.stderr
    assert counted(again.stdout) == {"created": 0, "updated": 0, "unchanged": 4271, "refused": 521}
    assert await connection.fetchval("SELECT count(*) FROM changes") == 3885


async def test_a_plan_shows_and_changes_nothing(goods: Program, connection: Any, tmp_path: Path) -> None:
    file = file_of(tmp_path, "sku,name,price,stock\nA,Lantern,1.00,3\n")
    assert goods.run("import", file, "--yes").returncode == 0
    file = file_of(tmp_path, "sku,name,price,stock\nA,Storm lantern,1.50,3\nB,Lamp,2,x\nC,Wick,1,1\n")
    ended = goods.run("import", file, "--plan")
    assert ended.returncode == 0, ended.stderr
    assert counted(ended.stdout) == {"created": 1, "updated": 1, "unchanged": 0, "refused": 1}
    assert "line 2  A  name Lantern -> Storm lantern, price 1.00 -> 1.50" in ended.stdout
    assert "line 3  B  stock: must be a whole number, as in 12" in ended.stdout
    assert "Nothing was changed." in ended.stdout
    assert [tuple(row) for row in await connection.fetch("SELECT sku, name FROM goods")] == [("A", "Lantern")]


async def test_without_a_terminal_and_without_yes_nothing_is_written(
    goods: Program, connection: Any, tmp_path: Path
) -> None:
    file = file_of(tmp_path, "sku,name,price\nA,Lantern,1\n")
    ended = goods.run("import", file)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "goods: there is no terminal to ask on: --yes applies the file, --plan only shows what it would do\n"
    )
    assert await connection.fetchval("SELECT count(*) FROM goods") == 0
    assert await connection.fetchval("SELECT count(*) FROM imports") == 0


@pytest.mark.parametrize(("answer", "goods_after"), [("y\n", 1), ("\n", 0)])
async def test_at_a_terminal_it_asks(
    goods: Program, connection: Any, tmp_path: Path, answer: str, goods_after: int
) -> None:
    file = file_of(tmp_path, "sku,name,price\nA,Lantern,1\n")
    ours, theirs = pty.openpty()
    try:
        os.write(ours, answer.encode())
        ended = goods.run("import", file, stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)
    assert ended.returncode == 0, ended.stderr
    assert "Apply? [y/N]" in ended.stdout
    assert await connection.fetchval("SELECT count(*) FROM goods") == goods_after


async def test_a_suppliers_spreadsheet(goods: Program, connection: Any, tmp_path: Path) -> None:
    """Semicolons, a decimal comma, an encoding of the last century, quoted line breaks."""
    text = 'Artikel;Bezeichnung;Preis;Menge\r\nL-1;"Laterne, groß\r\nverzinkt";12,90;4\r\nL-2;Öllampe;1.234,50;1\r\n'
    file = file_of(tmp_path, text, encoding="windows-1252")
    refused = tmp_path / "refused.csv"
    ended = goods.run(
        *("import", file, "--map", "sku=Artikel,name=Bezeichnung,price=Preis", "--map", "stock=Menge"),
        *("--delimiter", "semicolon", "--decimal", ",", "--encoding", "windows-1252"),
        *("--yes", "--refused", str(refused)),
    )
    assert ended.returncode == 0, ended.stderr
    assert counted(ended.stdout) == {"created": 1, "updated": 0, "unchanged": 0, "refused": 1}
    assert "line 4  L-2  price (column Preis): holds a dot, but the decimal sign is a comma" in ended.stdout
    [row] = await connection.fetch("SELECT sku, name, price, stock FROM goods")
    assert tuple(row) == ("L-1", "Laterne, groß\r\nverzinkt", Decimal("12.90"), 4)
    assert refused.read_text() == "Artikel;Bezeichnung;Preis;Menge\nL-2;Öllampe;1.234,50;1\n"


async def test_lines_of_json(goods: Program, connection: Any, tmp_path: Path) -> None:
    text = '{"sku":"A","name":"Lantern","price":"1.50","stock":2,"id":99}\n\n{"sku":"A","price":2}\nnot json\n'
    ended = goods.run("import", file_of(tmp_path, text, name="goods.ndjson"), "--yes")
    assert ended.returncode == 0, ended.stderr
    # The second line has no name and A is new, so it can't win.
    assert counted(ended.stdout) == {"created": 1, "updated": 0, "unchanged": 0, "refused": 2}
    [row] = await connection.fetch("SELECT name, price, stock FROM goods")
    assert tuple(row) == ("Lantern", Decimal("1.50"), 2)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing.csv", "--yes"), "missing.csv: No such file or directory; nothing was changed"),
        (("FILE", "--yes", "--map", "sku=Code"), "line 1: the header has no column 'Code', which sku is to come from;"),
        (("FILE", "--yes", "--set", "sku=1", "--encoding", "rot13"), "--set can't give sku"),
    ],
)
async def test_what_fails_as_a_whole_is_one_line(
    goods: Program, connection: Any, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    file = file_of(tmp_path, "sku,name,price\nA,Lantern,1\n")
    ended = goods.run("import", *(file if argument == "FILE" else argument for argument in arguments))
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("goods: ")
    assert ended.stderr.count("\n") == 1
    assert said in ended.stderr
    assert Counter([await connection.fetchval(f"SELECT count(*) FROM {t}") for t in ("goods", "imports")]) == {0: 2}
