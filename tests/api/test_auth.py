"""Signing in and out: tokens, sessions, refresh, passwords, throttling; against the real server."""

from __future__ import annotations

import statistics
import threading
import time
import uuid

import httpx
import pytest
from accounts import bearer, claims_of, link_token, mails, refresh_cookie, second_api, segment, sign, wait_for_mail
from conftest import ADMIN_EMAIL, PASSWORD, ApiClient
from stack import Stack

NEW_PASSWORD = "another fine passphrase"


@pytest.fixture
def user(make_user, make_client) -> ApiClient:
    return make_user("user", clients=[make_client()["id"]])


def sign_in(server: Stack, email: str, password: str = PASSWORD, **kwargs) -> httpx.Response:
    return httpx.post(
        server.url + "/api/v1/auth/login/json", json={"email": email, "password": password}, timeout=30, **kwargs
    )


def works(server_url: str, token: str) -> int:
    return httpx.get(server_url + "/api/v1/users/me", headers=bearer(token), timeout=30).status_code


def code_of(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.json()["code"]


# ---- signing in


def test_form_and_json_sign_in(server, user):
    form = httpx.post(
        server.url + "/api/v1/auth/login", data={"username": user.user["email"], "password": user.user["password"]}
    )
    assert form.status_code == 200
    body = form.json()
    assert body["token_type"] == "bearer" and set(body) == {"access_token", "token_type", "expires_in"}
    life = 60 * int(server.settings["ACCESS_TOKEN_EXPIRE_MINUTES"])
    assert life - 10 <= body["expires_in"] <= life
    assert works(server.url, body["access_token"]) == 200

    answer = sign_in(server, user.user["email"])
    assert answer.json()["user"]["email"] == user.user["email"]
    assert answer.json()["user"]["role"] == "user"
    assert answer.headers["cache-control"] == "no-store"


def test_email_is_found_in_any_case(server, user):
    assert sign_in(server, user.user["email"].upper()).status_code == 200


def test_token_says_nothing_of_rights(server, user):
    claims = claims_of(sign_in(server, user.user["email"]).json()["access_token"])
    assert set(claims) == {"iss", "aud", "sub", "sid", "iat", "nbf", "exp"}
    assert claims["sub"] == str(user.user["id"])


def test_cookie_attributes(server, user):
    header = sign_in(server, user.user["email"]).headers["set-cookie"]
    parts = [p.strip() for p in header.split(";")]
    assert {"HttpOnly", "SameSite=Strict", "Secure", "Path=/api/v1/auth"} <= set(parts)
    age = next(int(p.split("=")[1]) for p in parts if p.startswith("Max-Age="))
    assert 7 * 86400 - 60 <= age <= 7 * 86400


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (ADMIN_EMAIL, "wrong password here"),
        ("nobody@example.com", PASSWORD),
        ("nobody", PASSWORD),
        ("x" * 254, PASSWORD),
        (ADMIN_EMAIL, "x" * 1024),
        ("' OR 1=1 --", PASSWORD),
    ],
)
def test_wrong_sign_in_is_one_answer(server, db, email, password):
    answer = sign_in(server, email, password)
    assert answer.status_code == 401 and code_of(answer) == "login_failed"
    assert "set-cookie" not in answer.headers
    db.execute("DELETE FROM login_attempts")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "a@b.c"},
        {"email": 1, "password": "x"},
        {"email": "", "password": ""},
        {"email": "a@b.c", "password": "x", "z": 1},
    ],
)
def test_malformed_sign_in_names_the_fields(anonymous, body):
    answer = anonymous.post("/auth/login/json", json=body)
    assert answer.status_code == 422 and answer.json()["errors"]


def test_unknown_users_cannot_be_told_by_time(server, db, user):
    def median(email: str) -> float:
        times = []
        for _ in range(7):
            start = time.perf_counter()
            assert sign_in(server, email, "wrong password here").status_code == 401
            times.append(time.perf_counter() - start)
            db.execute("DELETE FROM login_attempts")
        return statistics.median(times)

    known, unknown = median(user.user["email"]), median("nobody@example.com")
    assert 0.5 < known / unknown < 2


def test_hash_is_renewed_when_the_setting_changes(server, db, user):
    before = db.execute("SELECT password_hash FROM users WHERE id = %s", [user.user["id"]]).fetchone()[0]
    assert "m=8192," in before
    with second_api(server, PASSWORD_MEMORY="9M") as url:
        answer = httpx.post(
            url + "/api/v1/auth/login/json", json={"email": user.user["email"], "password": PASSWORD}, timeout=30
        )
        assert answer.status_code == 200
    after = db.execute("SELECT password_hash FROM users WHERE id = %s", [user.user["id"]]).fetchone()[0]
    assert "m=9216," in after
    assert sign_in(server, user.user["email"]).status_code == 200


# ---- tokens that are not ours


def forgeries(server: Stack, good: str) -> dict[str, str]:
    claims, key = claims_of(good), server.settings["JWT_SECRET"]
    header, payload, signature = good.split(".")
    none = segment({"alg": "none", "typ": "JWT"})
    return {
        "alg none, no signature": f"{none}.{payload}.",
        "alg none, two parts": f"{none}.{payload}",
        "alg None": f"{segment({'alg': 'None'})}.{payload}.{signature}",
        "other key": sign(claims, "x" * 64),
        "empty key": sign(claims, ""),
        "other algorithm": sign(claims, key, "HS512"),
        "public-key algorithm": sign(claims, key, "RS256"),
        "other issuer": sign(claims | {"iss": "somebody"}, key),
        "other audience": sign(claims | {"aud": "somebody"}, key),
        "from the future": sign(claims | {"nbf": int(time.time()) + 3600}, key),
        "other user": sign(claims | {"sub": "1"} if claims["sub"] != "1" else claims | {"sub": "2"}, key),
        "no session": sign({k: v for k, v in claims.items() if k != "sid"}, key),
        "unknown session": sign(claims | {"sid": 2**40}, key),
        "payload swapped": f"{header}.{segment(claims | {'sub': '1', 'x': 1})}.{signature}",
        "signature cut": good[:-4],
        "garbage": "a.b.c",
    }


def test_forged_tokens(server, user):
    good = sign_in(server, user.user["email"]).json()["access_token"]
    assert works(server.url, sign(claims_of(good), server.settings["JWT_SECRET"])) == 200  # the forger is able
    for name, token in forgeries(server, good).items():
        answer = httpx.get(server.url + "/api/v1/users/me", headers=bearer(token))
        assert answer.status_code == 401, name
        assert answer.headers["www-authenticate"].startswith("Bearer"), name
        assert code_of(answer) in ("token_invalid", "unauthenticated"), name


def test_expired_token_says_so(server, user):
    good = sign_in(server, user.user["email"]).json()["access_token"]
    old = claims_of(good) | {"iat": 1, "nbf": 1, "exp": int(time.time()) - 1}
    answer = httpx.get(server.url + "/api/v1/users/me", headers=bearer(sign(old, server.settings["JWT_SECRET"])))
    assert answer.status_code == 401 and code_of(answer) == "token_expired"


def test_no_or_foreign_credentials(anonymous):
    assert code_of(anonymous.get("/users/me")) == "unauthenticated"
    for header in ("Basic YTpi", "Bearer", "bearer", "Token x", "ApiKey", "ApiKey nonsense"):
        answer = anonymous.get("/users/me", headers={"Authorization": header})
        assert answer.status_code == 401, header


def test_two_credentials_at_once_are_refused(server, user):
    token = sign_in(server, user.user["email"]).json()["access_token"]
    answer = httpx.get(server.url + "/api/v1/users/me", headers=bearer(token) | {"X-API-Key": "tk_x"})
    assert answer.status_code == 401


def test_stale_credentials_do_not_hinder_signing_in(server, user):
    assert sign_in(server, user.user["email"], headers=bearer("a.b.c")).status_code == 200


def test_signing_key_rotates(server, user):
    old = server.settings["JWT_SECRET"]
    with second_api(server, JWT_SECRET="n" * 40 + "," + old) as url:
        before = sign_in(server, user.user["email"]).json()["access_token"]
        assert works(url, before) == 200
        after = httpx.post(
            url + "/api/v1/auth/login/json", json={"email": user.user["email"], "password": PASSWORD}, timeout=30
        ).json()["access_token"]
        assert works(url, after) == 200
        assert works(server.url, after) == 401  # the new key is not known here


# ---- refreshing


def refresh(server: Stack, token: str, **kwargs) -> httpx.Response:
    return httpx.post(server.url + "/api/v1/auth/refresh", json={"refresh_token": token}, timeout=30, **kwargs)


def by_cookie(server: Stack, token: str, **headers: str) -> httpx.Response:
    return httpx.get(
        server.url + "/api/v1/auth/refresh-cookie", headers={"Cookie": f"tracker_refresh={token}"} | headers, timeout=30
    )


def age_tokens(db, seconds: int = 60) -> None:
    """Make the exchange of used tokens look older than it is."""
    db.execute(
        "UPDATE session_tokens SET used_at = used_at - make_interval(secs => %s) WHERE used_at IS NOT NULL", [seconds]
    )


def test_refresh_rotates(server, user):
    first = refresh_cookie(sign_in(server, user.user["email"]))
    answer = refresh(server, first)
    assert answer.status_code == 200 and works(server.url, answer.json()["access_token"]) == 200
    second = answer.json()["refresh_token"]
    assert second != first and refresh_cookie(answer) == second
    third = by_cookie(server, second)
    assert third.status_code == 200 and "refresh_token" not in third.json()
    assert works(server.url, third.json()["access_token"]) == 200


def test_refresh_extends_the_session(server, db, user):
    answer = sign_in(server, user.user["email"])
    session = claims_of(answer.json()["access_token"])["sid"]
    db.execute("UPDATE sessions SET expires_at = now() + interval '1 hour' WHERE id = %s", [session])
    assert refresh(server, refresh_cookie(answer)).status_code == 200
    left = db.execute("SELECT expires_at - now() > interval '6 days' FROM sessions WHERE id = %s", [session]).fetchone()
    assert left[0]


def test_reuse_of_a_rotated_token_ends_the_session(server, db, user):
    stolen = refresh_cookie(sign_in(server, user.user["email"]))
    rotated = refresh(server, stolen).json()
    age_tokens(db)
    answer = refresh(server, stolen)
    assert answer.status_code == 401 and code_of(answer) == "refresh_reused"
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert works(server.url, rotated["access_token"]) == 401  # at the next request
    assert refresh(server, rotated["refresh_token"]).status_code == 401
    reason = db.execute("SELECT revoke_reason FROM sessions ORDER BY revoked_at DESC NULLS LAST LIMIT 1").fetchone()[0]
    assert reason == "token_reuse"


def test_two_tabs_may_refresh_at_once(server, user):
    token = refresh_cookie(sign_in(server, user.user["email"]))
    answers: list[httpx.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(by_cookie(server, token))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [a.status_code for a in answers] == [200] * 6
    assert len({refresh_cookie(a) for a in answers}) == 1  # all hold the one successor
    assert refresh(server, refresh_cookie(answers[0])).status_code == 200


def test_late_tab_neither_wins_nor_destroys(server, user):
    first = refresh_cookie(sign_in(server, user.user["email"]))
    second = refresh(server, first).json()["refresh_token"]
    third = refresh(server, second).json()
    late = refresh(server, first)
    assert late.status_code == 401 and code_of(late) == "refresh_superseded"
    assert works(server.url, third["access_token"]) == 200
    assert refresh(server, third["refresh_token"]).status_code == 200


@pytest.mark.parametrize("token", ["x", "A" * 43, "=" * 43, "A" * 256])
def test_unknown_refresh_tokens(server, token):
    assert refresh(server, token).status_code == 401


def test_refresh_without_any_token(anonymous):
    assert code_of(anonymous.post("/auth/refresh", json={})) == "refresh_missing"
    assert code_of(anonymous.post("/auth/refresh")) == "refresh_missing"
    assert code_of(anonymous.get("/auth/refresh-cookie")) == "refresh_missing"


def test_expired_session_cannot_refresh(server, db, user):
    answer = sign_in(server, user.user["email"])
    session = claims_of(answer.json()["access_token"])["sid"]
    db.execute(
        "UPDATE sessions SET created_at = now() - interval '9 days', expires_at = now() - interval '1 s' WHERE id = %s",
        [session],
    )
    assert refresh(server, refresh_cookie(answer)).status_code == 401


def test_tokens_are_stored_as_hashes_only(server, db, user):
    token = refresh_cookie(sign_in(server, user.user["email"]))
    rows = db.execute("SELECT token_hash FROM session_tokens").fetchall()
    assert all(len(r[0]) == 32 for r in rows)
    assert not any(token.encode() in bytes(r[0]) for r in rows)


# ---- other sites


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, 403),
    ],
)
def test_cookie_is_not_for_other_sites(server, user, headers, status):
    token = refresh_cookie(sign_in(server, user.user["email"]))
    assert by_cookie(server, token, **headers).status_code == status
    if status == 403:
        assert by_cookie(server, token).status_code == 200  # it was not used up


def test_own_origin_may_use_the_cookie(server, user):
    token = refresh_cookie(sign_in(server, user.user["email"]))
    assert by_cookie(server, token, Origin=server.url).status_code == 200


def test_other_sites_cannot_sign_a_browser_in(server, user):
    answer = sign_in(server, user.user["email"], headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403 and "set-cookie" not in answer.headers


# ---- the end of a session, at the next request


def test_logout(server, user):
    answer = sign_in(server, user.user["email"])
    token = answer.json()["access_token"]
    assert works(server.url, token) == 200
    out = httpx.post(server.url + "/api/v1/auth/logout", headers=bearer(token))
    assert out.status_code == 204 and "Max-Age=0" in out.headers["set-cookie"]
    assert works(server.url, token) == 401
    assert refresh(server, refresh_cookie(answer)).status_code == 401


def test_logout_by_cookie_alone(server, user):
    answer = sign_in(server, user.user["email"])
    out = httpx.post(
        server.url + "/api/v1/auth/logout", headers={"Cookie": f"tracker_refresh={refresh_cookie(answer)}"}
    )
    assert out.status_code == 204
    assert works(server.url, answer.json()["access_token"]) == 401


def test_logout_everywhere(server, user):
    tokens = [sign_in(server, user.user["email"]).json()["access_token"] for _ in range(3)]
    assert [works(server.url, t) for t in tokens] == [200] * 3
    assert httpx.post(server.url + "/api/v1/auth/logout-all", headers=bearer(tokens[0])).status_code == 204
    assert [works(server.url, t) for t in tokens] == [401] * 3


# ---- two front ends on one host name


def browser(server: Stack) -> httpx.Client:
    """Keeps cookies as a browser does: those of one name and host replace each other, whatever the port."""
    client = httpx.Client(base_url=server.url + "/api/v1/auth", timeout=30)

    def send_without_tls(_answer: httpx.Response) -> None:  # browsers do so on localhost
        for cookie in client.cookies.jar:
            cookie.secure = False

    client.event_hooks = {"response": [send_without_tls]}
    return client


def test_each_application_has_a_session_of_its_own(server, make_user):
    people = {application: make_user("admin") for application in ("admin", "app")}
    with browser(server) as cookies:
        for application, person in people.items():
            answer = cookies.post(
                f"/login/json?application={application}", json={"email": person.user["email"], "password": PASSWORD}
            )
            refresh_cookie(answer, f"tracker_refresh_{application}")
        plain = cookies.post("/login", data={"username": people["app"].user["email"], "password": PASSWORD})
        refresh_cookie(plain)

        for application, person in people.items():
            answer = cookies.get(f"/refresh-cookie?application={application}")
            assert claims_of(answer.json()["access_token"])["sub"] == str(person.user["id"])
        assert cookies.get("/refresh-cookie").status_code == 200

        assert cookies.post("/logout?application=app").status_code == 204
        assert cookies.post("/refresh?application=app").json()["code"] == "refresh_missing"
        assert cookies.post("/refresh?application=admin").status_code == 200
        assert cookies.post("/refresh").status_code == 200


def test_ending_all_sessions_clears_the_cookie_of_the_application(server, user):
    answer = sign_in(server, user.user["email"], params={"application": "app"})
    out = httpx.post(
        server.url + "/api/v1/auth/logout-all?application=app", headers=bearer(answer.json()["access_token"])
    )
    assert out.status_code == 204 and refresh_cookie(out, "tracker_refresh_app") == ""
    with browser(server) as cookies:
        cookies.cookies.set("tracker_refresh_app", refresh_cookie(answer, "tracker_refresh_app"))
        ended = cookies.get("/refresh-cookie?application=app")
    assert code_of(ended) == "refresh_invalid" and refresh_cookie(ended, "tracker_refresh_app") == ""


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "login"),
        ("POST", "login/json"),
        ("POST", "refresh"),
        ("GET", "refresh-cookie"),
        ("POST", "logout"),
        ("POST", "logout-all"),
        ("POST", "password/reset"),
    ],
)
@pytest.mark.parametrize("application", ["", "APP", "other", "app;Domain=example.com"])
def test_an_unknown_application_sets_no_cookie(user, method, path, application):
    answer = user.request(method, f"/auth/{path}", params={"application": application}, json={})
    assert answer.status_code == 422 and "set-cookie" not in answer.headers
    assert [error["field"] for error in answer.json()["errors"]] == ["application"]


def test_revocation_holds_in_every_process(server, user):
    with second_api(server) as other, second_api(server, REDIS_URL="") as without_redis:
        for _ in range(5):
            token = sign_in(server, user.user["email"]).json()["access_token"]
            addresses = [server.url, other, without_redis]
            assert [works(a, token) for a in addresses] == [200] * 3
            assert httpx.post(other + "/api/v1/auth/logout", headers=bearer(token)).status_code == 204
            assert [works(a, token) for a in addresses] == [401] * 3


def test_revocation_holds_under_load_and_flushes(server, user):
    """No request that begins after a sign-out was answered is served, wherever it goes, while the cache is flushed."""
    violations: list[str] = []
    served = 0
    stop = threading.Event()
    current: dict[str, str | float | None] = {"token": None, "over": None}

    def ask_forever(url: str) -> None:
        nonlocal served
        with httpx.Client(timeout=30) as client:
            while not stop.is_set():
                token, over = current["token"], current["over"]  # the order of the writes makes this pair safe
                status = client.get(url + "/api/v1/users/me", headers=bearer(str(token))).status_code
                served += status == 200
                if status == 200 and over == token:
                    violations.append(url)

    def flush_forever() -> None:
        while not stop.is_set():
            server.redis.command("FLUSHALL")

    with second_api(server) as other:
        current["token"] = sign_in(server, user.user["email"]).json()["access_token"]
        threads = [threading.Thread(target=ask_forever, args=[url]) for url in (server.url, other) * 2]
        threads.append(threading.Thread(target=flush_forever))
        for thread in threads:
            thread.start()
        for _ in range(8):
            token = str(current["token"])
            time.sleep(0.15)
            assert httpx.post(server.url + "/api/v1/auth/logout", headers=bearer(token), timeout=30).status_code == 204
            current["over"] = token
            time.sleep(0.1)
            current["token"] = sign_in(server, user.user["email"]).json()["access_token"]
        stop.set()
        for thread in threads:
            thread.join()
    assert not violations
    assert served > 100


def test_rights_change_at_the_next_request(server, admin, make_user, make_client):
    first, second = make_client()["id"], make_client()["id"]
    user = make_user("user", clients=[first])

    def me() -> dict:
        return user.get("/users/me").json()

    assert me()["client_ids"] == [first]
    path = f"/users/{user.user['id']}"
    assert admin.patch(path, json={"client_ids": [second]}).status_code == 200
    assert me()["client_ids"] == [second]
    assert user.get(f"/clients/{first}").status_code == 404
    assert user.post("/brands", json={"client_id": second, "name": "B"}).status_code == 403
    assert admin.patch(path, json={"role": "manager"}).status_code == 200
    assert user.post("/brands", json={"client_id": second, "name": "B"}).status_code == 201
    assert admin.patch(path, json={"role": "user"}).status_code == 200
    assert user.post("/brands", json={"client_id": second, "name": "C"}).status_code == 403
    assert admin.post(path + "/archive").status_code == 200
    assert user.get("/users/me").status_code == 401
    assert sign_in(server, user.user["email"]).status_code == 401
    assert admin.post(path + "/restore").status_code == 200
    assert user.get("/users/me").status_code == 401  # old sessions do not come back to life


def test_command_line_signs_out_at_the_next_request(server, user):
    assert user.get("/users/me").status_code == 200
    server.run("user", "sign-out", user.user["email"], login="api_login")
    assert user.get("/users/me").status_code == 401


def test_own_sessions_can_be_listed_and_ended(server, user):
    other = sign_in(server, user.user["email"], headers={"User-Agent": "My phone"}).json()["access_token"]
    sessions = user.get("/users/me/sessions").json()["items"]
    assert [s["current"] for s in sessions].count(True) == 1
    phone = next(s for s in sessions if s["user_agent"] == "My phone")
    assert phone["address"] == "127.0.0.1"
    assert user.delete(f"/users/me/sessions/{phone['id']}").status_code == 204
    assert works(server.url, other) == 401
    assert user.get("/users/me").status_code == 200
    assert user.delete(f"/users/me/sessions/{phone['id']}").status_code == 404


def test_sessions_of_others_are_not_mine_to_end(server, user, make_user):
    mine = claims_of(user.headers["Authorization"].split()[1])["sid"]
    other = make_user("user")
    assert other.delete(f"/users/me/sessions/{mine}").status_code == 404
    assert user.get("/users/me").status_code == 200


# ---- passwords


def test_change_password(server, user):
    email = user.user["email"]
    other = sign_in(server, email).json()["access_token"]
    body = {"current_password": "not the current one", "new_password": NEW_PASSWORD}
    assert user.post("/auth/password/change", json=body).status_code == 422
    body["current_password"] = PASSWORD
    assert user.post("/auth/password/change", json=body).status_code == 204
    assert user.get("/users/me").status_code == 200  # the session that changed it stays
    assert works(server.url, other) == 401  # the others end
    assert sign_in(server, email).status_code == 401
    assert sign_in(server, email, NEW_PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short", "too_short"),
        ("ninechars", "too_short"),
        ("password123", "too_common"),
        ("x" * 201, "too_long"),
        ("aaaaaaaaaaaa", "too_common"),
    ],
)
def test_weak_passwords_are_refused(user, password, code):
    answer = user.post("/auth/password/change", json={"current_password": PASSWORD, "new_password": password})
    assert answer.status_code == 422
    assert [(e["field"], e["code"]) for e in answer.json()["errors"]] == [("new_password", code)]


def test_forgotten_password(server, db, user):
    email = user.user["email"]
    anonymous = httpx.Client(base_url=server.url + "/api/v1", timeout=30)
    assert anonymous.post("/auth/password/forgot", json={"email": email}).status_code == 202
    mail = wait_for_mail(server, email)
    assert mail["Subject"] == "Set a new password"
    token = link_token(mail)
    assert not db.execute("SELECT FROM password_reset_tokens WHERE token_hash = %s", [token.encode()]).fetchall()

    weak = anonymous.post("/auth/password/reset", json={"token": token, "password": "short"})
    assert weak.status_code == 422  # and the link stays good
    body = {"token": token, "password": NEW_PASSWORD}
    assert anonymous.post("/auth/password/reset", json=body).status_code == 204
    assert user.get("/users/me").status_code == 401  # all sessions end
    assert sign_in(server, email, NEW_PASSWORD).status_code == 200
    again = anonymous.post("/auth/password/reset", json=body)
    assert again.status_code == 400 and code_of(again) == "reset_token_invalid"  # once


def test_links_expire_and_are_replaced(server, db, user):
    email = user.user["email"]
    anonymous = httpx.Client(base_url=server.url + "/api/v1", timeout=30)
    anonymous.post("/auth/password/forgot", json={"email": email})
    first = link_token(wait_for_mail(server, email))
    anonymous.post("/auth/password/forgot", json={"email": email})
    deadline = time.monotonic() + 5
    while link_token(wait_for_mail(server, email)) == first:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    second = link_token(wait_for_mail(server, email))
    assert anonymous.post("/auth/password/reset", json={"token": first, "password": NEW_PASSWORD}).status_code == 400
    db.execute(
        "UPDATE password_reset_tokens SET created_at = now() - interval '2 h', expires_at = now() - interval '1 s'"
    )
    assert anonymous.post("/auth/password/reset", json={"token": second, "password": NEW_PASSWORD}).status_code == 400


def test_one_link_serves_one_of_two_at_once(server, user):
    email = user.user["email"]
    httpx.post(server.url + "/api/v1/auth/password/forgot", json={"email": email}, timeout=30)
    token = link_token(wait_for_mail(server, email))
    codes: list[int] = []

    def use(password: str) -> None:
        body = {"token": token, "password": password}
        codes.append(httpx.post(server.url + "/api/v1/auth/password/reset", json=body, timeout=30).status_code)

    threads = [threading.Thread(target=use, args=[f"passphrase number {i}"]) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [204, 400, 400, 400]


def test_forgot_tells_nothing(server, user):
    def ask(email: str) -> tuple[int, bytes, float]:
        start = time.perf_counter()
        answer = httpx.post(server.url + "/api/v1/auth/password/forgot", json={"email": email}, timeout=30)
        return answer.status_code, answer.content, time.perf_counter() - start

    known, unknown = ask(user.user["email"]), ask("nobody-at-all@example.com")
    assert known[:2] == unknown[:2]
    assert known[2] >= 0.15 and unknown[2] >= 0.15 and abs(known[2] - unknown[2]) < 0.1
    time.sleep(0.2)
    assert not [m for m in mails(server) if m["To"] == "nobody-at-all@example.com"]


def test_names_cannot_inject_headers(server, admin):
    email = f"inject-{uuid.uuid4().hex[:8]}@example.com"
    for bad in ("a@example.com\r\nBcc: all@example.com", "a@example.com\nBcc: x@y.z", "a@b.c, d@e.f", "<a@b.c>"):
        assert admin.post("/users", json={"email": bad, "name": "X"}).status_code == 422, bad
    answer = admin.post("/users", json={"email": email, "name": "Eve Bcc: all@example.com", "language": "de"})
    assert answer.status_code == 201
    mail = wait_for_mail(server, email)
    assert mail["Bcc"] is None and mail["To"] == email
    assert mail["Subject"] == "Ihr Konto im Tracker System"
    assert "für Sie" in mail.get_content()


# ---- throttling


def test_guessing_is_throttled_per_account(server, db, user):
    email = user.user["email"]
    try:
        for _ in range(10):
            assert sign_in(server, email, "wrong password here").status_code == 401
        answer = sign_in(server, email)
        assert answer.status_code == 429 and code_of(answer) == "too_many_attempts"
        assert 800 < int(answer.headers["retry-after"]) <= 900
        assert user.get("/users/me").status_code == 200  # who is signed in stays so
        server.redis.command("FLUSHALL")
        assert sign_in(server, email).status_code == 429  # a flushed cache helps nobody
        db.execute("UPDATE login_attempts SET first_at = first_at - interval '15 minutes'")
        assert sign_in(server, email).status_code == 200
    finally:
        db.execute("DELETE FROM login_attempts")


def test_parallel_guesses_do_not_outrun_the_count(server, db, user):
    codes: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: codes.append(sign_in(server, user.user["email"], "wrong password here").status_code)
        )
        for _ in range(25)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert codes.count(429) == 15 and set(codes) <= {401, 429, 503}  # 503: too many hashes at once
    finally:
        db.execute("DELETE FROM login_attempts")


def test_success_forgets_the_account_and_not_the_address(server, db, user):
    try:
        for _ in range(9):
            assert sign_in(server, user.user["email"], "wrong password here").status_code == 401
        assert sign_in(server, user.user["email"]).status_code == 200
        for _ in range(9):
            assert sign_in(server, user.user["email"], "wrong password here").status_code == 401
        counts = dict(db.execute("SELECT split_part(subject, ':', 2), failures FROM login_attempts").fetchall())
        assert counts == {"account": 9, "address": 18}
    finally:
        db.execute("DELETE FROM login_attempts")


def test_guessing_is_throttled_per_address(server, db):
    try:
        db.execute("INSERT INTO login_attempts (subject, failures) VALUES ('login:address:127.0.0.1', 100)")
        assert sign_in(server, "whoever@example.com").status_code == 429
        # a blocked address cannot fill the table with names
        assert not db.execute("SELECT FROM login_attempts WHERE subject LIKE 'login:account:%'").fetchall()
    finally:
        db.execute("DELETE FROM login_attempts")


# ---- oneself


def test_profile(user):
    me = user.get("/users/me")
    assert me.json()["notification_preferences"] == {"email": True, "ui": True}
    assert "password_hash" not in me.text and 'preferences":{"not' not in me.text
    assert user.get("/users/me", headers={"If-None-Match": me.headers["etag"]}).status_code == 304

    change = {
        "name": "Jörg",
        "language": "de",
        "time_zone": "Europe/Berlin",
        "notification_preferences": {"email": False},
    }
    answer = user.patch("/users/me", json=change, headers={"If-Match": me.headers["etag"]})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["name"], body["language"], body["time_zone"]) == ("Jörg", "de", "Europe/Berlin")
    assert body["notification_preferences"] == {"email": False, "ui": True}
    stale = user.patch("/users/me", json={"name": "X"}, headers={"If-Match": me.headers["etag"]})
    assert stale.status_code == 412
    assert user.get("/users/me").json()["name"] == "Jörg"


@pytest.mark.parametrize(
    "change",
    [
        {"role": "admin"},
        {"client_ids": [1]},
        {"email": "x@example.com"},
        {"password": "another fine passphrase"},
        {"id": 1},
        {"name": ""},
        {"name": "x" * 201},
        {"name": None},
        {"language": "english"},
        {"time_zone": "Mars/Olympus"},
        {"notification_preferences": {"sms": True}},
        {"notification_preferences": {"email": "yes"}},
        {"notification_preferences": []},
    ],
)
def test_profile_cannot_take_more(user, change):
    answer = user.patch("/users/me", json=change)
    assert answer.status_code == 422, answer.text
    assert user.get("/users/me").json()["role"] == "user"


# ---- Redis is not needed


def test_flushed_redis_costs_no_session(server, user):
    for _ in range(3):
        assert user.get("/users/me").status_code == 200
        server.redis.command("FLUSHALL")
    assert user.get("/users/me").status_code == 200


def test_copies_in_redis_are_signed_and_outdated_ones_ignored(server, user, db):
    token = sign_in(server, user.user["email"]).json()["access_token"]
    session = claims_of(token)["sid"]
    with second_api(server) as other:
        assert works(other, token) == 200  # writes the copy
    key = f"auth:session:{session}"
    copy = server.redis.command("GET", key)
    assert '"role":"user"' in str(copy)
    with second_api(server) as other:
        # Somebody who can write to Redis promotes himself.
        server.redis.command("SET", key, str(copy).replace('"role":"user"', '"role":"admin"'))
        answer = httpx.get(other + "/api/v1/users/me", headers=bearer(token))
        assert answer.status_code == 200 and answer.json()["role"] == "user"
        assert httpx.get(other + "/api/v1/users", headers=bearer(token)).status_code == 403
    with second_api(server) as other:
        # The session ends while a copy from before survives (Redis was away, or restarted from an old dump).
        assert httpx.post(server.url + "/api/v1/auth/logout", headers=bearer(token)).status_code == 204
        server.redis.command("SET", key, str(copy))
        assert works(other, token) == 401
