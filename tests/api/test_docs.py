"""The documentation page: it is complete, and it runs no script but its own files."""

from __future__ import annotations

import re

import httpx
import pytest
from helpers import problem


@pytest.fixture(scope="module")
def page(server) -> httpx.Response:
    return httpx.get(f"{server.url}/docs")


def test_page_is_public_html(page: httpx.Response) -> None:
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "make deps" in page.text  # what a reader sees while the files are missing


def test_scripts_come_from_here_only(page: httpx.Response) -> None:
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["script-src"] == "'self'"
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page.text, re.DOTALL)
    assert scripts
    assert all("src=" in attributes and not body for attributes, body in scripts)
    assert not re.search(r"\son\w+=", page.text)


def test_files_of_the_page(server, page: httpx.Response) -> None:
    paths = re.findall(r'(?:src|href)="(/docs/[^"]+)"', page.text)
    assert "/docs/start.js" in paths
    for path in paths:
        answer = httpx.get(server.url + path)
        if answer.status_code == 404 and path != "/docs/start.js":
            assert "make deps" in problem(answer, 404, "not_found")["detail"]
            continue
        assert answer.status_code == 200, path
        assert answer.headers["content-type"] in ("text/javascript; charset=utf-8", "text/css; charset=utf-8")
        assert answer.content
    assert "/openapi.json" in httpx.get(f"{server.url}/docs/start.js").text


@pytest.mark.parametrize("name", ["LICENSE", "swagger-ui.css.map", "START.JS", "start.jsx", "passwd"])
def test_no_other_file_is_served(server, name: str) -> None:
    problem(httpx.get(f"{server.url}/docs/{name}"), 404, "not_found")


@pytest.mark.parametrize("name", ["..%2f..%2fREADME.md", "%2e%2e", "swagger-ui.css%00.js"])
def test_no_way_out_of_the_folder(server, name: str) -> None:
    problem(httpx.get(f"{server.url}/docs/{name}"), 400, "bad_target")


def test_document_is_revalidated_and_cached(server) -> None:
    answer = httpx.get(f"{server.url}/openapi.json")
    assert answer.headers["cache-control"] == "no-cache"
    again = httpx.get(f"{server.url}/openapi.json", headers={"If-None-Match": f'"other", {answer.headers["etag"]}'})
    assert again.status_code == 304
    assert not again.content
    assert httpx.get(f"{server.url}/openapi.json", headers={"If-None-Match": '"other"'}).status_code == 200
