"""pyftpdlib over a directory: ADDRESS PORT ROOT USER PASSWORD [RATE|- [CERTIFICATE]]; RATE in bytes per second."""

import logging
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

address, port, root, user, password, rate = sys.argv[1:7]
logging.basicConfig(level=logging.ERROR)
if len(sys.argv) > 7:
    handler = TLS_FTPHandler
    handler.certfile = sys.argv[7]
    plain_or_tls = TLS_DTPHandler
else:
    handler = FTPHandler
    plain_or_tls = object
if rate != "-":

    class Slow(*(kind for kind in (plain_or_tls, ThrottledDTPHandler) if kind is not object)):
        read_limit = write_limit = int(rate)

    handler.dtp_handler = Slow
handler.authorizer = DummyAuthorizer()
handler.authorizer.add_user(user, password, root, perm="elradfmwMT")
FTPServer((address, int(port)), handler).serve_forever()
