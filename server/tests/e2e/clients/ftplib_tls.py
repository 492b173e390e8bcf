"""ftplib.FTP_TLS with prot_p: CERTIFICATE HOST PORT explicit|implicit reuse|fresh 1.2|1.3

ftplib itself makes a new TLS session for each data connection, which a server that demands reuse refuses; with `reuse` it
gets the session of the control connection, as its users do it.
"""

import ftplib
import io
import ssl
import sys

certificate, host, port, mode, reuse, version = sys.argv[1:]


class Client(ftplib.FTP_TLS):
    def connect(self, host="", port=0, timeout=-999, source_address=None):
        if mode == "explicit":
            return super().connect(host, port, timeout, source_address)
        # There is nothing for it in ftplib: the greeting comes encrypted.
        self.host, self.port = host, port
        self.sock = self.context.wrap_socket(ftplib.socket.create_connection((host, port), 20), server_hostname=host)
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()
        return self.welcome

    def ntransfercmd(self, cmd, rest=None):
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            session = self.sock.session if reuse == "reuse" else None
            conn = self.context.wrap_socket(conn, server_hostname=self.host, session=session)
        return conn, size


context = ssl.create_default_context(cafile=certificate)
context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_3 if version == "1.3" else ssl.TLSVersion.TLSv1_2
ftp = Client(context=context, timeout=20)
assert ftp.connect(host, int(port)).startswith("220")
if mode == "explicit":
    assert ftp.auth().startswith("234")
assert ftp.login().startswith("230")
assert ftp.prot_p().startswith("200")
assert ftp.sock.version() == "TLSv" + version

content = io.BytesIO()
assert ftp.retrbinary("RETR there", content.write).startswith("226")
# More often than there were tickets at the beginning.
for _ in range(40):
    content.seek(0)
    assert ftp.storbinary("STOR came", content).startswith("226")
assert ftp.nlst() == ["came", "there"]
lines = []
assert ftp.retrlines("LIST", lines.append).startswith("226")
assert len(lines) == 2, lines
assert dict(ftp.mlsd())["there"]["size"] == str(len(content.getvalue()))
assert ftp.storbinary("STOR empty", io.BytesIO()).startswith("226")
assert ftp.size("empty") == 0
ftp.delete("empty")
assert ftp.quit().startswith("221")
print("all over TLS")
