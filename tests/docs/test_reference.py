"""The Markdown that tools/docs_api.py makes of an OpenAPI document."""

from __future__ import annotations

import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "tools"))

from docs_api import cell, meaning, pages, schema_section, title, type_name


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["integer", "null"], "format": "int64"}, "integer or null"),
        ({"type": "string", "format": "date-time"}, "time"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Brand"}}, "array of [Brand](schemas.md#Brand)"),
        ({"type": "array"}, "array of any"),
        (
            {"anyOf": [{"$ref": "#/components/schemas/Position"}, {"type": "null"}]},
            "[Position](schemas.md#Position) or null",
        ),
        ({"anyOf": [{"type": "object"}, {"type": "object"}]}, "object"),
        ({"const": "Polygon"}, "`Polygon`"),
        ({}, "any"),
    ],
)
def test_types(schema: dict, text: str) -> None:
    assert type_name(schema) == text


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({}, "Words."),
        ({"minimum": 1, "maximum": 500}, "Words. 1 to 500."),
        ({"minimum": 0}, "Words. At least 0."),
        ({"maxLength": 200}, "Words. At most 200 characters."),
        ({"enum": ["a", "b", None]}, "Words. One of `a`, `b`."),
        ({"default": False}, "Words. Default `false`."),
        ({"default": ""}, "Words."),
    ],
)
def test_limits_follow_the_description(schema: dict, text: str) -> None:
    assert meaning("Words.", schema) == text


def test_a_cell_stays_one_cell() -> None:
    assert cell("a | b\n  c") == "a \\| b c"


def test_titles() -> None:
    assert title("api-keys") == "API keys"
    assert title("trackers") == "Trackers"


def test_a_schema_without_fields_names_its_type() -> None:
    assert (
        schema_section("Name", {"type": "string", "maxLength": 5})
        == "## Name { #Name }\n\nstring. at most 5 characters\n"
    )


def operation(name: str, **more: object) -> dict:
    refusal = {"401": {"description": "Nobody is signed in."}}
    return {"operationId": name, "tags": ["things"], "responses": {"200": {"description": "Done."}} | refusal} | more


def test_pages_of_a_document() -> None:
    document = {
        "info": {"version": "1"},
        "paths": {
            "/things": {
                "parameters": [],
                "get": operation("listThings", summary="List things", security=[{"bearer": []}, {"apiKey": []}]),
                "post": operation("createThing", security=[{"bearer": []}]),
            },
            "/open": {"get": operation("readOpen", tags=["open"], responses={"404": {"description": "Gone."}})},
        },
        "components": {
            "schemas": {"Thing": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}}
        },
    }
    made = pages(document)
    assert list(made) == ["index.md", "open.md", "things.md", "schemas.md"]
    assert "[List things](things.md#listThings)" in made["index.md"]
    assert "## List things { #listThings }\n\n`GET /things`" in made["things.md"]
    assert "## createThing { #createThing }" in made["things.md"]  # without a summary
    assert "Needs: access token or API key." in made["things.md"]
    assert "No sign-in needed." in made["open.md"]
    # What most operations answer stands once, on the index; what one answers stands with it.
    assert "Nobody is signed in." in made["index.md"] and "Nobody is signed in." not in made["things.md"]
    assert "| 404 | Gone. |  |" in made["open.md"]
    assert "| `id` | integer, required |  |" in made["schemas.md"]


def test_a_body_without_a_name_shows_its_fields() -> None:
    body = {
        "type": "object",
        "properties": {"code": {"type": "string", "description": "Six digits."}},
        "required": ["code"],
    }
    post = operation("sendCode", requestBody={"content": {"application/json": {"schema": body}}})
    made = pages({"info": {"version": "1"}, "paths": {"/codes": {"post": post}}})
    assert "Body, `application/json`: object\n\n| Field |" in made["things.md"]
    assert "| `code` | string, required | Six digits. |" in made["things.md"]
