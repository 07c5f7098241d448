"""The built site: it needs nothing from elsewhere, its diagrams can be drawn, and nothing that should be in it is missing."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

from conftest import BINARY, ROOT

DIAGRAM = re.compile(r'<pre class="mermaid"><code>(.*?)</code></pre>', re.DOTALL)
CHROMIUM_SECONDS = 60


def pages(site: Path) -> dict[str, str]:
    return {str(path.relative_to(site)): path.read_text() for path in sorted(site.rglob("*.html"))}


def test_every_page_of_the_sources_is_built(site: Path) -> None:
    docs = ROOT / "docs"
    for page in docs.rglob("*.md"):
        path = page.relative_to(docs).with_suffix("")
        folder = path.parent if path.name == "index" else path
        assert (site / folder / "index.html").is_file(), page
    assert not list(site.rglob("requirements.*"))


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loads = re.compile(
        r'<(?:script|img|iframe|source|video)\b[^>]*\bsrc="([^"]*)"|<link\b(?![^>]*rel="canonical")[^>]*\bhref="([^"]*)"'
    )
    for name, text in pages(site).items():
        for groups in loads.findall(text):
            address = "".join(groups)
            assert not re.match(r"(?:[a-z]+:)?//", address), f"{name} loads {address}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", sheet.read_text()), sheet


def test_every_setting_is_there(site: Path) -> None:
    settings = json.loads(
        subprocess.run([BINARY, "config", "--format", "json"], env={}, capture_output=True, check=True).stdout
    )
    text = (site / "operators" / "settings" / "index.html").read_text()
    missing = [setting["name"] for setting in settings if f"<code>{setting['name']}</code>" not in text]
    assert settings and not missing


def test_every_operation_is_there(site: Path) -> None:
    document = json.loads(subprocess.run([BINARY, "openapi"], env={}, capture_output=True, check=True).stdout)
    folder = site / "integrators" / "reference"
    text = html.unescape("".join(path.read_text() for path in folder.rglob("*.html")))
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert f"<code>{method.upper()} {path}</code>" in text, operation["operationId"]
            assert f'id="{operation["operationId"]}"' in text
    for schema in document["components"]["schemas"]:
        assert f'<h2 id="{schema}">' in text


def test_search_finds_the_reference(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    places = {entry["location"].split("#")[0] for entry in index["docs"]}
    assert {"operators/settings/", "integrators/reference/trackers/", "developers/architecture/"} <= places


def test_mermaid_is_loaded_where_a_diagram_is(site: Path) -> None:
    for name, text in pages(site).items():
        script = re.search(r'<script src="([^"]*mermaid\.js)"></script></head>', text)
        assert bool(script) == bool(DIAGRAM.search(text)), name
        if script:
            assert ((site / name).parent / script[1]).resolve().is_file(), name


PROBE = """<!doctype html><meta charset="utf-8"><title>probe</title><script src="mermaid.js"></script><pre id="result"></pre>
<script>
const diagrams = DIAGRAMS;
mermaid.initialize({ startOnLoad: false });
(async () => {
  const errors = {};
  for (const [name, text] of Object.entries(diagrams)) {
    try { await mermaid.render("probe", text); } catch (error) { errors[name] = String(error); }
  }
  document.getElementById("result").textContent = JSON.stringify({ drawn: Object.keys(diagrams).length, errors });
})();
</script>"""


def draw(diagrams: dict[str, str], folder: Path) -> dict:
    """What Mermaid, in a browser, says of each diagram."""
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing: make deps"
    shutil.copy(ROOT / "var" / "share" / "mermaid" / "mermaid.js", folder)
    (folder / "probe.html").write_text(PROBE.replace("DIAGRAMS", json.dumps(diagrams).replace("</", "<\\/")))
    command = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        f"--user-data-dir={folder}/profile",
    ]
    command += ["--virtual-time-budget=30000", "--dump-dom", f"file://{folder}/probe.html"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=CHROMIUM_SECONDS)
    found = re.search(r'<pre id="result">(.*?)</pre>', result.stdout, re.DOTALL)
    assert found and found[1], result.stderr
    return json.loads(html.unescape(found[1]))


def test_diagrams_can_be_drawn(site: Path, tmp_path: Path) -> None:
    diagrams = {
        f"{name} #{number}": html.unescape(text)
        for name, page in pages(site).items()
        for number, text in enumerate(DIAGRAM.findall(page), 1)
    }
    assert diagrams
    diagrams["broken on purpose"] = "flowchart LR\n  a -->"
    answer = draw(diagrams, tmp_path)
    assert answer["drawn"] == len(diagrams)
    assert list(answer["errors"]) == ["broken on purpose"], answer["errors"]


def test_dead_links_fail_the_build(tmp_path: Path) -> None:
    """The configuration is strict about a missing page, a missing anchor and an absolute address."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# Home\n\n[a](nowhere.md) [b](#no-heading) [c](/developers/)\n")
    config = (ROOT / "mkdocs.yml").read_text()
    config = re.sub(r"^docs_dir: .*$", f"docs_dir: {docs}", config, flags=re.MULTILINE)
    config = re.sub(r"^hooks:\n(?:  - .*\n)+", "", config, flags=re.MULTILINE)
    (tmp_path / "mkdocs.yml").write_text(config)
    build = [str(ROOT / "var" / "venv" / "bin" / "mkdocs"), "build", "--strict", "--site-dir", str(tmp_path / "site")]
    result = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, timeout=CHROMIUM_SECONDS)
    assert result.returncode != 0
    for complaint in ("nowhere.md", "#no-heading", "absolute link '/developers/'"):
        assert complaint in result.stderr
    assert result.stderr.count("WARNING -  Doc file") == 3
