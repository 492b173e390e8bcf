"""What sessions of FTP over TLS cost a server while nobody says anything.

idle-tls.py PORT ACCOUNT PID SESSIONS SECONDS, with ACCOUNT as NAME:PASSWORD

Opens SESSIONS to 127.0.0.1:PORT that are told to begin TLS and stay silent, and then as many that log in over TLS. For
each kind one line: memory per session, and the CPU time of SECONDS of silence. Both are of process PID and all its
children: memory as the kernel shares it out among processes (PSS), CPU in its ticks (of 10 ms, mostly).
"""

import socket
import ssl
import sys
import time
from pathlib import Path


def family(pid):
    """The process and its descendants."""
    yield pid
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))


def memory_and_ticks(pid):
    """Of the whole family, in bytes and in ticks."""
    memory = ticks = 0
    for one in family(pid):
        rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        memory += int(rollup.split("\nPss:")[1].split()[0]) * 1024
        fields = Path(f"/proc/{one}/stat").read_text().rsplit(") ", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return memory, ticks


def reply(connection):
    """The code of the next reply, all of whose lines are read."""
    text = b""
    while True:
        part = connection.recv(4096)
        if not part:
            sys.exit("the server has closed a session: has it a bound on their number?")
        text += part
        last = text.rstrip(b"\r\n").split(b"\r\n")[-1]
        if text.endswith(b"\n") and last[3:4] == b" ":
            return last[:3]


def ask(connection, line, expected):
    connection.sendall(line.encode() + b"\r\n")
    code = reply(connection)
    if code != expected:
        sys.exit(f"{line.split()[0]} was answered by {code.decode()}")


def half_open(port):
    connection = socket.create_connection(("127.0.0.1", port))
    reply(connection)
    ask(connection, "AUTH TLS", b"234")
    return connection


def logged_in(port, account, context):
    connection = context.wrap_socket(half_open(port))
    user, password = account.split(":", 1)
    ask(connection, f"USER {user}", b"331")
    ask(connection, f"PASS {password}", b"230")
    return connection


def main():
    port, account, pid, sessions, seconds = sys.argv[1:]
    port, pid, sessions, seconds = int(port), int(pid), int(sessions), int(seconds)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    kinds = {"half-open": lambda: half_open(port), "logged in": lambda: logged_in(port, account, context)}
    held = []  # all to the end: the second kind must not live in what the first has left
    for name, make in kinds.items():
        held.append(make())  # what the first one needs is not counted
        time.sleep(1)
        before, _ = memory_and_ticks(pid)
        held += [make() for _ in range(sessions)]
        time.sleep(1)
        after, ticks = memory_and_ticks(pid)
        time.sleep(seconds)
        spent = memory_and_ticks(pid)[1] - ticks
        print(f"{name}\t{(after - before) / sessions / 1024:.1f}\t{spent}", flush=True)


main()
