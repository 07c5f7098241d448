"""Images: upload, sizes, what is left behind, who sees them, where their files are."""

from __future__ import annotations

import os
import re
import shutil
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from conftest import ADMIN_EMAIL, PASSWORD, ROOT, ApiClient
from helpers import made, problem, refused, walk
from pictures import heic, png, png_file, turned_jpeg, webp_chunks, webp_size
from s3 import KEY, REGION, SECRET, ObjectStore
from stack import Stack
from tracks import Goods, make_goods, make_tracker

BINARY = os.environ.get("TRACKERD", str(ROOT / "build" / "trackerd"))


@pytest.fixture(scope="module")
def goods(admin: httpx.Client, make_client: Callable[..., dict]) -> Goods:
    return make_goods(admin, make_client()["id"])


def upload(client: httpx.Client, picture: bytes, **options: object) -> httpx.Response:
    headers = {"Content-Type": "application/octet-stream"}
    return client.post("/images", params=options, content=picture, headers=headers)


def fetch(client: httpx.Client, image: dict, size: str) -> bytes:
    answer = client.get(f"/images/{image['id']}/{size}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/webp"
    return answer.content


def files(server: Stack) -> set[Path]:
    return set((server.folder / "media").rglob("*.webp")) | set((server.folder / "media").rglob("*.part"))


# ---- upload


@pytest.mark.parametrize(
    ("picture", "kind", "size", "sizes"),
    [
        (turned_jpeg, "image/jpeg", (400, 640), {"320": (200, 320), "1280": (400, 640), "original": (400, 640)}),
        (heic, "image/heic", (640, 400), {"320": (320, 200), "1280": (640, 400), "original": (640, 400)}),
        (
            lambda: png(5000, 2500),
            "image/png",
            (5000, 2500),
            {"320": (320, 160), "1280": (1280, 640), "original": (4096, 2048)},
        ),
        (lambda: png(1, 1), "image/png", (1, 1), {"320": (1, 1), "1280": (1, 1), "original": (1, 1)}),
    ],
    ids=["jpeg", "heic", "large png", "one pixel"],
)
def test_sizes(
    admin: httpx.Client, goods: Goods, picture: Callable[[], bytes], kind: str, size: tuple, sizes: dict
) -> None:
    data = picture()
    image = made(upload(admin, data, owner_kind="tracker", owner_id=goods.tracker, caption="In front", position=3))
    shown = {key: image[key] for key in ("client_id", "owner_kind", "owner_id", "caption", "position")}
    assert shown == {
        "client_id": goods.client,
        "owner_kind": "tracker",
        "owner_id": goods.tracker,
        "caption": "In front",
        "position": 3,
    }
    assert (image["content_type"], image["width"], image["height"]) == (kind, *size)
    assert (image["bytes"], image["created_by"]) == (len(data), admin.user["id"])
    assert {row["name"]: (row["width"], row["height"]) for row in image["sizes"]} == sizes
    for row in image["sizes"]:
        content = fetch(admin, image, row["name"])
        assert len(content) == row["bytes"]
        assert webp_size(content) == (row["width"], row["height"])


def test_a_webp_of_ours_can_be_uploaded(admin: httpx.Client, goods: Goods) -> None:
    first = made(upload(admin, png(300, 200), owner_kind="production_run", owner_id=goods.run))
    again = made(upload(admin, fetch(admin, first, "original"), owner_kind="brand", owner_id=goods.brand))
    assert (again["content_type"], again["width"], again["height"]) == ("image/webp", 300, 200)


def test_metadata_is_left_behind(admin: httpx.Client, goods: Goods) -> None:
    latitude = [struct.pack(order + "6I", 52, 1, 31, 1, 12, 1) for order in "<>"]
    data = turned_jpeg()
    assert b"SecretMaker" in data and any(secret in data for secret in latitude)
    image = made(upload(admin, data, owner_kind="tracker", owner_id=goods.tracker))
    for size in ("320", "1280", "original"):
        content = fetch(admin, image, size)
        assert not any(secret in content for secret in [b"SecretMaker", *latitude])
        # libvips may say the size once more in an Exif block of its own.
        assert not {b"XMP ", b"ICCP"} & webp_chunks(content).keys()


def test_a_form_does_as_well(admin: httpx.Client, goods: Goods) -> None:
    options = {"owner_kind": "location", "owner_id": str(goods.storage), "caption": "Gate 3 – Süd"}
    answer = admin.post("/images", data=options, files={"file": ("gate.heic", png(10, 10), "image/heic")})
    image = made(answer)
    assert (image["owner_kind"], image["owner_id"], image["caption"]) == ("location", goods.storage, "Gate 3 – Süd")
    assert image["content_type"] == "image/png", "what it is, not what was said"


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_image"),
        (b"GIF89a" + b"\0" * 40, 415, "unsupported_image"),
        (b"%PDF-1.4\n", 415, "unsupported_image"),
        (b"\xff\xd8\xff" + b"\0" * 100, 422, "broken_image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, 422, "broken_image"),
        (b"RIFF\x20\0\0\0WEBP" + b"VP8 " + b"\0" * 40, 422, "broken_image"),
        (turned_jpeg()[:3000], 422, "broken_image"),
        (png(200, 200)[:-30], 422, "broken_image"),
        (heic()[:1500], 422, "broken_image"),
        (png_file(30000, 30000, zlib.compress(b"\0" * 1000)), 413, "image_too_large"),
        (b"", 400, "empty_body"),
    ],
    ids=[
        "svg",
        "gif",
        "pdf",
        "no jpeg",
        "no png",
        "no webp",
        "half a jpeg",
        "most of a png",
        "half a heic",
        "bomb",
        "empty",
    ],
)
def test_what_is_no_picture(
    admin: httpx.Client, server: Stack, goods: Goods, content: bytes, status: int, code: str
) -> None:
    before = files(server)
    answer = upload(admin, content, owner_kind="tracker", owner_id=goods.tracker)
    if code == "broken_image" and answer.json()["code"] == "unsupported_image":
        status, code = 415, "unsupported_image"  # libvips finds no loader for a header that is this broken
    problem(answer, status, code)
    assert files(server) == before


def test_too_many_bytes(admin: httpx.Client, goods: Goods) -> None:
    limit = 20 * 1024 * 1024
    options = {"owner_kind": "tracker", "owner_id": goods.tracker}
    picture = png(10, 10)
    problem(upload(admin, picture + b"\0" * (limit + 1 - len(picture)), **options), 413, "body_too_large")
    made(upload(admin, picture + b"\0" * (limit - len(picture)), **options))


@pytest.mark.parametrize(
    ("options", "fields"),
    [
        ({}, {"owner_kind": "required", "owner_id": "required"}),
        ({"owner_kind": "user", "owner_id": 1}, {"owner_kind": "unknown_value"}),
        ({"owner_kind": "tracker", "owner_id": 0}, {"owner_id": "out_of_range"}),
        ({"owner_kind": "tracker", "owner_id": 2**40}, {"owner_id": "not_found"}),
        ({"owner_kind": "tracker", "owner_id": 1, "position": "first"}, {"position": "out_of_range"}),
        ({"owner_kind": "tracker", "owner_id": 1, "caption": "x" * 501}, {"caption": "too_long"}),
        ({"owner": "tracker"}, {"owner": "unknown_parameter"}),
    ],
)
def test_options_out_of_bounds(admin: httpx.Client, options: dict, fields: dict) -> None:
    assert refused(upload(admin, png(1, 1), **options)) == fields


def test_an_upload_is_repeatable(admin: httpx.Client, goods: Goods) -> None:
    headers = {"Idempotency-Key": os.urandom(8).hex(), "Content-Type": "image/png"}
    query = {"owner_kind": "tracker", "owner_id": goods.tracker}
    first, second = (admin.post("/images", params=query, content=png(2, 2), headers=headers) for _ in range(2))
    assert made(first)["id"] == made(second)["id"]


# ---- the gallery


def test_a_gallery_in_order(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    tracker = make_tracker(admin, goods.run)
    options = {"owner_kind": "tracker", "owner_id": tracker}
    last, first, second = (made(upload(admin, png(2, 2), position=p, **options))["id"] for p in (9, 1, 1))
    assert [row["id"] for row in walk(admin, "/images", limit=2, **options)] == [first, second, last]
    assert admin.patch(f"/images/{last}", json={"position": 0, "caption": "Front"}).json()["caption"] == "Front"
    assert [row["id"] for row in walk(admin, "/images", **options)] == [last, first, second]
    assert "owner_id" in refused(admin.patch(f"/images/{last}", json={"owner_id": 1}))
    entries = admin.get("/audit-log", params={"resource": "images", "resource_id": last}).json()["items"]
    assert [entry["action"] for entry in entries] == ["update", "create"]
    in_use = admin.delete(f"/trackers/{tracker}")
    assert "images" in problem(in_use, 409, "in_use")["detail"]


def test_a_gallery_is_bounded(admin: httpx.Client, db: psycopg.Connection, goods: Goods) -> None:
    tracker = make_tracker(admin, goods.run)
    for n in range(199):
        db.execute(
            "INSERT INTO images (client_id, owner_kind, owner_id, content_type, width, height, bytes, checksum, storage_key)"
            " VALUES (%s, 'tracker', %s, 'image/png', 1, 1, 1, sha256(''), %s)",
            (goods.client, tracker, f"x/{tracker}-{n}"),
        )
    options = {"owner_kind": "tracker", "owner_id": tracker}
    made(upload(admin, png(2, 2), **options))
    assert refused(upload(admin, png(2, 2), **options)) == {"owner_id": "too_many"}


def test_deleting_takes_the_files(admin: httpx.Client, server: Stack, goods: Goods) -> None:
    before = files(server)
    image = made(upload(admin, png(2, 2), owner_kind="tracker", owner_id=goods.tracker))
    path = f"/images/{image['id']}"
    assert len(files(server) - before) == 3
    problem(admin.delete(path, headers={"If-Match": '"99"'}), 412, "stale")
    assert admin.delete(path, headers={"If-Match": admin.get(path).headers["etag"]}).status_code == 204
    assert files(server) == before
    problem(admin.get(path), 404, "not_found")
    problem(admin.get(f"{path}/320"), 404, "not_found")
    problem(admin.delete(path), 404, "not_found")


# ---- who sees them


def test_addresses_that_need_no_login(
    admin: httpx.Client, anonymous: httpx.Client, server: Stack, goods: Goods, make_user: Callable[..., httpx.Client]
) -> None:
    image = made(upload(admin, png(50, 50), owner_kind="tracker", owner_id=goods.tracker))
    user = make_user("user", clients=[goods.client])
    (row,) = [row for row in walk(user, "/images", owner_id=goods.tracker) if row["id"] == image["id"]]
    assert row["urls"] == user.get(f"/images/{image['id']}").json()["urls"]
    for size, url in row["urls"].items():
        answer = httpx.get(server.url + url)
        assert (answer.status_code, answer.content) == (200, fetch(admin, image, size))
        assert "private" in answer.headers["cache-control"] and "immutable" in answer.headers["cache-control"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        again = httpx.get(server.url + url, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
    bare = f"/images/{image['id']}/320"
    problem(anonymous.get(bare), 401, "unauthenticated")
    token = row["urls"]["320"].partition("token=")[2]
    hour, client, mac = token.split(".")
    for forged in (
        "",
        "x",
        f"{int(hour) + 1}.{client}.{mac}",
        f"{hour}.{int(client) + 1}.{mac}",
        f"{hour}.{client}.{mac[:-1]}",
        f"{hour}.{client}.{mac}A",
        f"{hour}.{client}.",
        f" {hour}.{client}.{'A' * len(mac)}",
    ):
        problem(anonymous.get(bare, params={"token": forged}), 403, "token_invalid")


def test_strangers_see_nothing(
    admin: httpx.Client,
    server: Stack,
    goods: Goods,
    make_client: Callable[..., dict],
    make_user: Callable[..., httpx.Client],
) -> None:
    image = made(upload(admin, png(5, 5), owner_kind="tracker", owner_id=goods.tracker))
    own = make_goods(admin, make_client()["id"])
    stranger = make_user("manager", clients=[own.client])
    theirs = made(upload(stranger, png(5, 5), owner_kind="tracker", owner_id=own.tracker))
    assert [row["id"] for row in walk(stranger, "/images")] == [theirs["id"]]
    for call in (stranger.get, stranger.delete):
        problem(call(f"/images/{image['id']}"), 404, "not_found")
    problem(stranger.get(f"/images/{image['id']}/320"), 404, "not_found")
    token = theirs["urls"]["320"].partition("token=")[2]
    problem(httpx.get(f"{server.url}/api/v1/images/{image['id']}/320?token={token}"), 404, "not_found")
    assert refused(upload(stranger, png(1, 1), owner_kind="tracker", owner_id=goods.tracker)) == {
        "owner_id": "not_found"
    }
    user = make_user("user", clients=[goods.client])
    problem(upload(user, png(1, 1), owner_kind="tracker", owner_id=goods.tracker), 403, "forbidden")
    problem(user.delete(f"/images/{image['id']}"), 403, "forbidden")


@pytest.mark.parametrize("size", ["64", "321", "Original", "..%2f..%2fx"])
def test_other_sizes_do_not_exist(admin: httpx.Client, goods: Goods, size: str) -> None:
    image = made(upload(admin, png(5, 5), owner_kind="tracker", owner_id=goods.tracker))
    assert admin.get(f"/images/{image['id']}/{size}").status_code in (400, 404)


# ---- a bucket


@pytest.fixture(scope="module")
def bucket() -> Iterator[tuple[ObjectStore, ApiClient, int]]:
    """The object store, an admin of an API that uses it, and a client."""
    folder = Path(tempfile.mkdtemp(prefix="tracker-"))
    folder.chmod(0o711)
    with ObjectStore() as store:
        settings = {
            "S3_URL": store.url + "/",
            "S3_BUCKET": "pictures",
            "S3_REGION": REGION,
            "S3_ACCESS_KEY": KEY,
            "S3_SECRET_KEY": SECRET,
        }
        with Stack(folder, binary=BINARY, settings=settings, redis=False) as stack:
            stack.create_user(ADMIN_EMAIL, PASSWORD, admin=True)
            with ApiClient(stack.url) as admin:
                admin.sign_in(ADMIN_EMAIL, PASSWORD)
                yield store, admin, admin.post("/clients", json={"name": "c"}).json()["id"]
            assert SECRET not in stack.api_log.read_text()
    shutil.rmtree(folder, ignore_errors=True)


def test_files_in_a_bucket(bucket: tuple[ObjectStore, ApiClient, int]) -> None:
    store, admin, client = bucket
    image = made(upload(admin, turned_jpeg(), owner_kind="client", owner_id=client))
    assert store.refused == []
    names = sorted(store.objects)
    assert len(names) == 3
    pattern = r"/pictures/(..)/\1[0-9a-f]{30}-(320|1280|original)\.webp"
    assert all(re.fullmatch(pattern, name) for name in names), names
    assert set(store.types.values()) == {"image/webp"}
    for size in ("320", "1280", "original"):
        (stored,) = [data for name, data in store.objects.items() if name.endswith(f"-{size}.webp")]
        assert fetch(admin, image, size) == stored
    assert admin.delete(f"/images/{image['id']}").status_code == 204
    assert store.objects == {}


def test_a_bucket_that_fails(bucket: tuple[ObjectStore, ApiClient, int]) -> None:
    store, admin, client = bucket
    image = made(upload(admin, png(3, 3), owner_kind="client", owner_id=client))
    kept = dict(store.objects)
    store.broken = True
    try:
        problem(upload(admin, png(3, 3), owner_kind="client", owner_id=client), 503, "media_unavailable")
        problem(admin.get(f"/images/{image['id']}/320"), 503, "media_unavailable")
    finally:
        store.broken = False
    assert store.objects == kept
    assert [row["id"] for row in walk(admin, "/images")] == [image["id"]]
    assert fetch(admin, image, "320")
