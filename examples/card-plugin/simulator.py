"""Stands in for the simulator of Acme: a card file of sscard behind a port, `python simulator.py CARD PORT`."""

import socketserver
import subprocess
import sys


class Lines(socketserver.StreamRequestHandler):
    """A card for each connection."""

    def handle(self) -> None:
        """Leave the connection to ``sscard apdu --raw``."""
        program = ["sscard", "apdu", sys.argv[1], "--raw"]
        subprocess.run(program, stdin=self.connection, stdout=self.connection, check=False)


with socketserver.TCPServer(("127.0.0.1", int(sys.argv[2])), Lines) as server:
    print("listening on port", server.server_address[1], flush=True)
    server.serve_forever()
