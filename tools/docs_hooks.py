"""Hooks of MkDocs: pages made from the binary under build (settings, API reference), and Mermaid from a local file.

TRACKERD names the binary (default build/trackerd), MERMAID the script (default var/share/mermaid/mermaid.js, which
tools/fetch-mermaid.sh puts there).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

import docs_api  # noqa: E402 - needs the path above

REFERENCE = "integrators/reference"
MERMAID_URI = "assets/javascripts/mermaid.js"
SETTINGS_HEAD = """# Settings

Every setting of `trackerd`, made from the binary; `trackerd config` prints them with the values that are in force and where each comes from.
They are environment variables, or lines `NAME=VALUE` of the file that `TRACKERD_CONFIG` names; the environment wins. `trackerd config --format env`
makes such a file, with every meaning as a comment. An unknown or malformed setting stops the start with one line that names it.
"""


def trackerd(*args: str) -> str:
    """What a command of the binary prints, with no settings but the defaults."""
    binary = os.environ.get("TRACKERD") or str(ROOT / "build" / "trackerd")
    try:
        run = subprocess.run(
            [binary, *args], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60
        )
    except OSError as error:
        raise PluginError(
            f"{binary} cannot be started ({error.strerror}): `make build` makes it, TRACKERD names another one"
        ) from None
    if run.returncode != 0:
        raise PluginError(f"{binary} {' '.join(args)} failed: {run.stderr.strip()}")
    return run.stdout


def mermaid_file() -> Path:
    path = Path(os.environ.get("MERMAID") or ROOT / "var" / "share" / "mermaid" / "mermaid.js")
    if not path.is_file():
        raise PluginError(f"{path} is missing: tools/fetch-mermaid.sh fetches it, MERMAID names another one")
    return path


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what is made, so that links to it are checked like all others."""
    made = {"operators/settings.md": SETTINGS_HEAD + trackerd("config", "--format", "markdown")}
    for name, text in docs_api.pages(json.loads(trackerd("openapi"))).items():
        made[f"{REFERENCE}/{name}"] = text
    for uri, text in made.items():
        files.append(File.generated(config, uri, content=text))
    script = File.generated(config, MERMAID_URI, abs_src_path=str(mermaid_file()), inclusion=InclusionLevel.INCLUDED)
    files.append(script)
    return files


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Load Mermaid on the pages that have a diagram. It is there before the theme's script, which then fetches none."""
    if 'class="mermaid"' not in output:
        return output
    up = "../" * page.url.count("/")
    return output.replace("</head>", f'<script src="{up}{MERMAID_URI}"></script></head>', 1)
