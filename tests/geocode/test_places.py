"""`trackerd places load`: what of a GeoNames file becomes a town, and what happens when the file is not good."""

from __future__ import annotations

import gazetteer
import pytest


def count(db) -> int:
    return db.execute("SELECT count(*) FROM places").fetchone()[0]


@pytest.fixture
def restored(server):
    yield
    server.run("places", "load", "--default", login="worker_login")


def test_towns_are_loaded_with_their_regions(db):
    assert count(db) == len(gazetteer.TOWNS) + 1
    row = db.execute(
        "SELECT name, region, country_code, population, is_section, ST_Y(position::geometry), ST_X(position::geometry) "
        "FROM places WHERE id = 2867714"
    ).fetchone()
    assert row == ("Munich", "Bavaria", "DE", 1260391, False, 48.13743, 11.57549)
    assert db.execute("SELECT name FROM places WHERE is_section").fetchall() == [("Altona",)]


def test_a_second_load_changes_only_what_differs(server, db, restored, tmp_path):
    towns = [t for t in gazetteer.TOWNS if t.name != "Lyon"]
    towns[0] = gazetteer.Town(2911298, "Hamburg", 53.6, 9.99302, "DE", "Hamburg", "04", 1845229)
    file = gazetteer.write(tmp_path / "g", towns)
    said = server.run("places", "load", str(file), login="worker_login").stdout
    assert "wrote 1 places, removed 2;" in said, said  # Lyon and the section Altona
    assert "wrote 0 places, removed 0;" in server.run("places", "load", str(file), login="worker_login").stdout
    assert count(db) == len(towns)
    assert "loaded already" in server.run("places", "load", "--default", "--if-empty", login="worker_login").stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "no populated place"),
        (gazetteer.NO_TOWNS[0].line() + "\n", "no populated place"),
        (gazetteer.TOWNS[0].line() + "\n" + "half a line\n", "line 2: does not have the 19 fields"),
        (gazetteer.TOWNS[0].line().replace("53.55073", "north") + "\n", "line 1: has no position"),
        (gazetteer.TOWNS[0].line() + "\x00\n", "line 1: "),
        ("x" * 70000, "line 1: is longer"),
    ],
)
def test_a_bad_file_leaves_the_towns(server, db, tmp_path, content, message):
    before = count(db)
    file = tmp_path / "bad.txt"
    file.write_text(content)
    result = server.run("places", "load", str(file), login="worker_login", check=False)
    assert result.returncode == 1 and message in result.stderr, result.stderr
    assert count(db) == before


def test_wrong_usage(server):
    for args in ([], ["store"], ["load"], ["load", "a", "b"], ["load", "a", "--default"]):
        assert server.run("places", *args, check=False).returncode == 2, args
    missing = server.run("places", "load", "/nonexistent/cities.txt", check=False)
    assert missing.returncode == 1 and "/nonexistent/cities.txt: No such file" in missing.stderr
