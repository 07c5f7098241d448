"""Every operation of the OpenAPI document, with generated inputs: no server error, no answer that the document lacks.

SCHEMATHESIS_EXAMPLES raises the number of examples for each operation (25).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator

import pytest
import schemathesis
from conftest import PASSWORD, ROOT, ApiClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from services import own_folder
from stack import Stack

BINARY = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "25"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

# They end the session that the test itself runs in, or lock the account out for the other tests.
SIGNS_OUT = re.compile(r"^/api/v1/(auth/(?!refresh)|users/me/sessions|users/\{id\}/(sign-out|sessions|disable))")


@pytest.fixture(scope="module")
def own_server() -> Iterator[Stack]:
    """Not the other tests' server: generated inputs delete and archive whatever they hit."""
    with own_folder() as folder, Stack(folder, binary=BINARY) as stack:
        stack.add_town()
        yield stack


@pytest.fixture(scope="module")
def caller(own_server: Stack) -> Iterator[ApiClient]:
    """An admin, with some rows to find."""
    email = "schemathesis@example.com"
    own_server.create_user(email, PASSWORD, admin=True)
    with ApiClient(own_server.url) as client:
        client.sign_in(email, PASSWORD)
        tenant = client.post("/clients", json={"name": "Schemathesis"}).json()
        brand = client.post("/brands", json={"client_id": tenant["id"], "name": "b"}).json()
        run = client.post("/production-runs", json={"brand_id": brand["id"], "name": "r"}).json()
        client.post("/trackers", json={"production_run_id": run["id"], "name": "t"})
        yield client


def load_schema() -> schemathesis.BaseSchema:
    """From the command, so that operations are known before a server runs: each becomes a test of its own."""
    printed = subprocess.run(
        [BINARY, "openapi"],
        capture_output=True,
        check=True,
    )
    return schemathesis.openapi.from_dict(json.loads(printed.stdout))


OPERATIONS = {operation.ok().label: operation.ok() for operation in load_schema().get_all_operations()}
# Its answers have no end; test_stream.py reads them.
ENDLESS = {"GET /api/v1/stream"}
COVERED = {label for label, operation in OPERATIONS.items() if not SIGNS_OUT.search(operation.path)} - ENDLESS


def takes_input(operation: schemathesis.APIOperation) -> bool:
    definition = operation.definition.raw
    return "requestBody" in definition or any(
        item["in"] in ("query", "path") for item in definition.get("parameters", [])
    )


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["valid", "invalid"])
@pytest.mark.parametrize("label", sorted(COVERED))
def test_operation(label: str, mode: GenerationMode, own_server: Stack, caller: ApiClient) -> None:
    if mode == GenerationMode.NEGATIVE and not takes_input(OPERATIONS[label]):
        pytest.skip("nothing to get wrong")
    headers = {"Authorization": caller.headers["Authorization"]}

    @given(case=OPERATIONS[label].as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: schemathesis.Case) -> None:
        response = case.call(base_url=own_server.url, headers=headers, timeout=30)
        case.validate_response(response, checks=CHECKS)

    check()


def test_everything_but_signing_out_is_covered() -> None:
    """The exclusion above must not swallow more than it is for."""
    assert len(OPERATIONS) - len(COVERED) < 20
    assert len(COVERED) > 60
