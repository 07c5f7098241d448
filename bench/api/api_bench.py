"""Measures the API against what it stands on, in one run on one machine; prints JSON lines of ratios.

    read_one    GET /trackers/{id}, any of the tenant's, against pgbench running the same SQL with prepared statements (target 0.4)
    list_50     GET /trackers?limit=50, against the same (target 0.6)
    read_one_uncached, list_50_uncached   the same with `Cache-Control: no-cache`: every request asks the database (no target)
    not_modified GET /trackers/{id} with If-None-Match, against a bare libmicrohttpd constant answer (target 0.5)
    idle_memory resident MiB of `trackerd api` with 1,000 idle keep-alive connections (at most 64)

Authenticated as a customer of one of 200 tenants with 1 million trackers (BENCH_TRACKERS, default 1000000). Each ratio is the
median of BENCH_ROUNDS rounds, in which both sides run one after the other for BENCH_SECONDS.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from stack import Stack, free_port, postgres_bin  # noqa: E402

TENANTS = 200
TRACKERS = int(os.environ.get("BENCH_TRACKERS", "1000000"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "2"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
CONNECTIONS = 16
IDLE_CONNECTIONS = 1000
PASSWORD = "benchmark password 1"
BUILD = Path(os.environ.get("BUILD", ROOT / "build")).absolute()

SEED = """
SET session_replication_role = replica;
INSERT INTO clients (name) SELECT 'Tenant ' || n FROM generate_series(1, {tenants}) n;
INSERT INTO trackers (client_id, name, mac_address, last_report_at, last_latitude, last_longitude)
SELECT ids.id, 'Unit ' || n, upper(regexp_replace(lpad(to_hex(n), 12, '0'), '(..)(?=.)', '\\1:', 'g')),
       now() - n * interval '1 second', 45 + n % 1000 / 100.0, 5 + n % 1500 / 100.0
FROM generate_series(1, {trackers}) n
JOIN (SELECT id, row_number() OVER (ORDER BY id) - 1 AS at FROM clients) ids ON ids.at = n % {tenants};
SET session_replication_role = origin;
VACUUM ANALYZE trackers;
ANALYZE;
"""


def emit(bench: str, value: float, target: float | None, at_most: bool = False, **facts: object) -> bool:
    ok = target is None or (value <= target if at_most else value >= target)
    key = "mib" if at_most else "ratio"
    aim = {} if target is None else {"target": target, "ok": ok}
    print(json.dumps({"bench": bench, key: round(value, 3), **aim, **facts}), flush=True)
    return ok


def compare(*sides: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Medians over rounds in which every side runs in turn: rates of all, and ratios of all to the last."""
    rounds = [[side() for side in sides] for _ in range(ROUNDS)]
    rates = [median(side) for side in zip(*rounds, strict=True)]
    return rates, [median(one[n] / one[-1] for one in rounds) for n in range(len(sides))]


def wrk(url: str, headers: dict[str, str], paths: Path | None = None) -> float:
    """Requests per second, for one address or any of those a file names; every answer must be a success or a 304."""
    command = ["wrk", "-t2", f"-c{CONNECTIONS}", f"-d{SECONDS}s"]
    if paths is not None:
        command += ["-s", str(Path(__file__).with_name("any_of.lua"))]
    command += [url]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    if paths is not None:
        command += ["--", str(paths)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output:
        raise SystemExit(f"wrk saw errors:\n{output}")
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1))


def log_statements(stack: Stack, on: bool) -> None:
    """For the API's new sessions; its present ones are ended, which it mends by itself."""
    value = "SET log_min_duration_statement = 0" if on else "RESET log_min_duration_statement"
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'api_login'"
    stack.postgres.psql(f"ALTER ROLE api_login {value}; {end}")


def sql_behind(stack: Stack, client: httpx.Client, path: str) -> tuple[str, list[str]]:
    """The statement that a request runs, and its parameters, from PostgreSQL's own log."""
    log_statements(stack, True)
    client.get(path, headers={"Cache-Control": "no-cache"}).raise_for_status()
    mark = stack.postgres.log_file.stat().st_size
    client.get(path, headers={"Cache-Control": "no-cache"}).raise_for_status()
    time.sleep(0.5)
    log_statements(stack, False)
    with open(stack.postgres.log_file, errors="replace") as log:
        log.seek(mark)
        text = log.read()
    entries = re.findall(r"execute [^:]*: (.*?)\n(?=\d{4}-)(?:[^\n]*DETAIL:  parameters: ([^\n]*)\n)?", text, re.DOTALL)
    for sql, parameters in reversed(entries):
        if "trackers" in sql and "set_config" not in sql:
            values = re.findall(r"\$\d+ = (?:'((?:[^']|'')*)'|(NULL))", parameters or "")
            return sql.strip(), [value.replace("''", "'") for value, _ in values]
    raise SystemExit("the request's statement is not in PostgreSQL's log")


def pgbench(stack: Stack, folder: Path, sql: str, values: list[str], clients: str) -> float:
    """Transactions per second of the same statements, prepared, through the same row-level security.

    The API sets the caller and runs the statement in one pipeline, so pgbench does.
    """
    script = folder / "script.sql"
    for number in range(len(values), 0, -1):
        sql = sql.replace(f"${number}", f":p{number}")
    context = {"role": "user", "clients": clients, "user": "1"}
    caller = ", ".join(f"set_config('tracker.{name}', '{value}', true)" for name, value in context.items())
    script.write_text(f"\\startpipeline\nSELECT {caller};\n{' '.join(sql.split())};\n\\endpipeline\n")
    command = [str(postgres_bin() / "pgbench"), "-n", "-M", "prepared", "-c", str(CONNECTIONS), "-j", "2"]
    command += ["-T", str(SECONDS), "-f", str(script)]
    for number, value in enumerate(values, 1):
        command += ["-D", f"p{number}={value}"]
    result = subprocess.run([*command, stack.postgres.url(user="api_login")], capture_output=True, text=True)
    if result.returncode != 0:
        raise SystemExit(f"pgbench: {result.stderr}")
    return float(re.search(r"tps = ([\d.]+)", result.stdout).group(1))


def bare_rate() -> float:
    """Requests per second of a server that is nothing but libmicrohttpd."""
    port = free_port()
    server = subprocess.Popen([BUILD / "bench" / "api" / "bare_server", str(port)])
    try:
        time.sleep(0.5)
        return wrk(f"http://127.0.0.1:{port}/", {})
    finally:
        server.terminate()
        server.wait()


def idle_memory(stack: Stack) -> float:
    """Resident MiB with idle connections that have each sent one request."""
    held = []
    for _ in range(IDLE_CONNECTIONS):
        connection = socket.create_connection(("127.0.0.1", stack.port))
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
        held.append(connection)
    for connection in held:
        connection.recv(4096)
    status = Path(f"/proc/{stack.api.pid}/status").read_text()
    for connection in held:
        connection.close()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def measure(folder: Path) -> bool:
    ok = True
    with Stack(
        folder, binary=str(BUILD / "trackerd"), settings={"LOG_LEVEL": "warn", "PASSWORD_MEMORY": "8M"}
    ) as stack:
        memory = idle_memory(stack)
        ok &= emit("api_idle_memory", memory, 64, at_most=True, connections=IDLE_CONNECTIONS)
        stack.postgres.psql(SEED.format(tenants=TENANTS, trackers=TRACKERS), "tracker")
        tenant = stack.postgres.psql("SELECT max(id) FROM clients", "tracker")
        tracker = stack.postgres.psql(f"SELECT max(id) FROM trackers WHERE client_id = {tenant}", "tracker")
        stack.create_user("bench@example.com", PASSWORD, clients=(tenant,))
        with httpx.Client(base_url=stack.url + "/api/v1", timeout=30) as client:
            answer = client.post("/auth/login/json", json={"email": "bench@example.com", "password": PASSWORD})
            bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
            client.headers.update(bearer)
            # With it the process's memory of answers is passed over, so that the database is really asked.
            uncached = bearer | {"Cache-Control": "no-cache"}
            every = stack.postgres.psql(
                f"SELECT '/api/v1/trackers/' || id FROM trackers WHERE client_id = {tenant}", "tracker"
            )
            any_tracker = folder / "paths"
            any_tracker.write_text(every + "\n")
            for bench, path, paths, target in (
                ("api_read_one", f"/trackers/{tracker}", any_tracker, 0.4),
                ("api_list_50", "/trackers?limit=50", None, 0.6),
            ):
                sql, values = sql_behind(stack, client, path)
                (served, asked, plain), ratios = compare(
                    partial(wrk, f"{stack.url}/api/v1{path}", bearer, paths),
                    partial(wrk, f"{stack.url}/api/v1{path}", uncached, paths),
                    partial(pgbench, stack, folder, sql, values, f"{{{tenant}}}"),
                )
                facts = {"pgbench_per_s": round(plain), "trackers": TRACKERS}
                ok &= emit(bench, ratios[0], target, requests_per_s=round(served), **facts)
                emit(f"{bench}_uncached", ratios[1], None, requests_per_s=round(asked), **facts)
            etag = client.get(f"/trackers/{tracker}").headers["ETag"]
            unchanged = partial(wrk, f"{stack.url}/api/v1/trackers/{tracker}", bearer | {"If-None-Match": etag})
            (api, bare), ratios = compare(unchanged, bare_rate)
            ok &= emit("api_not_modified", ratios[0], 0.5, requests_per_s=round(api), bare_per_s=round(bare))
    return ok


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="tracker-bench-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        return 0 if measure(folder) else 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
