"""The whole way: provisioning, sign-in, fetch on both end points, decryption; compared with the truth."""

from __future__ import annotations

import pytest
from client import open_report
from conftest import PASSWORD, USER, Run


async def test_fetched_reports_are_the_truth(signed_in: Run) -> None:
    tags = list(signed_in.sim.world.tags.values())
    ids = {t: (await signed_in.control("GET", f"/tags/{t.id}"))["hashed_advertisement_key"] for t in tags}
    await signed_in.control("PATCH", "/limits", {"preset": "generous"})
    for api in ("v1", "v2"):
        got = await signed_in.client.payloads(api, list(ids.values()))
        for tag, report_id in ids.items():
            rows = (await signed_in.control("GET", f"/tags/{tag.id}/visible"))["items"]
            opened = [open_report(tag.privates[0], payload) for key, payload in got if key == report_id]
            expected = [{name: row[name] for name in opened[0]} for row in rows]
            assert len(rows) > 10
            assert unique(opened) == unique(expected)
            assert {len(p) for _, p in got} == {88, 89}


def unique(reports: list[dict[str, int]]) -> set[tuple[int, ...]]:
    return {tuple(r.values()) for r in reports}


@pytest.mark.parametrize("protocol", ["s2k", "s2k_fo"])
async def test_sign_in_with_both_protocols(run: Run, protocol: str) -> None:
    await run.control("PATCH", f"/accounts/{USER}", {"protocol": protocol})
    await run.client.sign_in(USER, PASSWORD)
    assert run.client.token.startswith("SPT~")
