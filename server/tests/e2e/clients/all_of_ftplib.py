"""Calls every method of ftplib.FTP against the server at HOST PORT; HUGE is the size of its file `huge`."""
import ftplib
import io
import sys

host, port, huge = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])


def refused(code, call, *arguments):
    try:
        answer = call(*arguments)
    except ftplib.all_errors as error:
        assert str(error).startswith(code), f"{error} instead of {code}"
    else:
        raise AssertionError(f"{answer} instead of {code}")


def fetch(ftp, name, **options):
    pieces = []
    ftp.retrbinary(f"RETR {name}", pieces.append, **options)
    return b"".join(pieces)


ftp = ftplib.FTP(timeout=30)
assert ftp.connect(host, port).startswith("220")
assert ftp.getwelcome().startswith("220")
refused("530", ftp.pwd)
assert ftp.login().startswith("230")
assert ftp.pwd() == "/"
assert ftp.sendcmd("NOOP").startswith("200")
assert ftp.voidcmd("TYPE I").startswith("200")

for name, size in [("plain.bin", 300_000), ("empty", 0), ("with blanks in it.txt", 7), ("grün – 漢字.txt", 6)]:
    assert ftp.size(name) == size == len(fetch(ftp, name)), name
assert ftp.size("huge") == huge
plain = fetch(ftp, "plain.bin")
assert fetch(ftp, "plain.bin", rest=123_456) == plain[123_456:]
assert fetch(ftp, "plain.bin", blocksize=7, rest=300_000) == b""
refused("554", lambda: fetch(ftp, "plain.bin", rest=300_001))

# Lines, in TYPE A.
lines = []
ftp.retrlines("RETR lines.txt", lines.append)
assert lines == ["one", "two", "", "three"], lines
ftp.storlines("STOR text", io.BytesIO(b"a\nb\r\nlast"))
assert fetch(ftp, "text") == b"a\nb\nlast\n"
ftp.voidcmd("TYPE A")
assert int(ftp.sendcmd("SIZE lines.txt").split()[1]) == len("one\r\ntwo\r\n\r\nthree")
ftp.voidcmd("TYPE I")

# Uploads: whole, from a place on, behind the end, under a new name.
ftp.storbinary("STOR ünß up", io.BytesIO(plain), blocksize=1000)
assert fetch(ftp, "ünß up") == plain
ftp.storbinary("STOR ünß up", io.BytesIO(b"tail"), rest=10)
assert fetch(ftp, "ünß up") == plain[:10] + b"tail" + plain[14:]
ftp.storbinary("APPE ünß up", io.BytesIO(b" more"))
assert fetch(ftp, "ünß up") == plain[:10] + b"tail" + plain[14:] + b" more"
before = set(ftp.nlst())
ftp.storbinary("STOU", io.BytesIO(b"unique"))
(new,) = set(ftp.nlst()) - before
assert fetch(ftp, new) == b"unique"
refused("553", lambda: ftp.storbinary("STOR tree", io.BytesIO(b"")))

# Data connections by hand, in every way.
for passive in (True, False):
    ftp.set_pasv(passive)
    connection, size = ftp.ntransfercmd("RETR plain.bin")
    assert size == 300_000
    got = b""
    while piece := connection.recv(65536):
        got += piece
    connection.close()
    assert got == plain and ftp.voidresp().startswith("226")
    connection = ftp.transfercmd("STOR by hand")
    connection.sendall(b"x")
    connection.close()
    assert ftp.voidresp().startswith("226")
listening = ftp.makeport()
assert ftp.sendcmd("LIST").startswith("150")
accepted, _ = listening.accept()
assert b"plain.bin" in accepted.makefile("rb").read()
accepted.close()
listening.close()
assert ftp.voidresp().startswith("226")
assert ftp.sendport("127.0.0.1", 30000).startswith("200")
assert ftp.sendeprt("127.0.0.1", 30000).startswith("200")
refused("504", ftp.sendport, "192.0.2.1", 30000)
ftp.set_pasv(True)
assert len(ftp.makepasv()) == 2

# Directories.
assert ftp.mkd('new "dir"') == '/new "dir"'
assert ftp.cwd('new "dir"').startswith("250")
assert ftp.pwd() == '/new "dir"'
assert ftp.nlst() == []
ftp.storbinary("STOR in it", io.BytesIO(b"1"))
assert ftp.rename("in it", "../out of it").startswith("250")
assert ftp.cwd("..").startswith("250")
assert ftp.rmd('new "dir"').startswith("250")
assert ftp.delete("out of it").startswith("250")
refused("550", ftp.delete, "out of it")
refused("550", ftp.rmd, "tree")
refused("550", ftp.cwd, "nope")
assert ftp.cwd("tree/sub dir").startswith("250")
assert ftp.nlst() == ftp.nlst(".") == ["b c", "deep"]
assert ftp.nlst("/tree") == ["/tree/a", "/tree/sub dir"]
ftp.cwd("/")
assert ftp.nlst("*.txt") == ["grün – 漢字.txt", "lines.txt", "with blanks in it.txt"]
shown = []
ftp.dir("tree", shown.append)
assert [line[0] for line in shown] == ["-", "d"] and shown[1].endswith("sub dir"), shown
facts = dict(ftp.mlsd("tree", facts=["type", "size", "perm"]))
assert facts["a"] == {"type": "file", "size": "1000", "perm": "adfrw"}, facts
assert facts["sub dir"]["type"] == "dir" and "size" not in facts["sub dir"]
assert set(dict(ftp.mlsd())) == set(ftp.nlst())

# An abort in the middle, and the session goes on.
connection = ftp.transfercmd("RETR huge")
assert connection.recv(1000)
assert ftp.abort()[:3] in ("426", "225", "226")
connection.close()
assert ftp.voidresp().startswith("226")
assert ftp.pwd() == "/"
assert ftp.quit().startswith("221")
ftp.close()

with ftplib.FTP() as again:
    again.connect(host, port)
    refused("530", again.login, "nobody", "wrong")
print("all of ftplib")
