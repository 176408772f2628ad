"""Connections with the peer of peer.py, in the states that pass at once with one that behaves; "ready" when they are there."""
import socket
import sys

from peer import ACKS, FIN_ACROSS, FIN_FIRST, GAP, LATE, NO_ACK, NO_WINDOW, SILENT

KEEP = []
V4, V6 = socket.AF_INET, socket.AF_INET6
SOL, SO_MARK = socket.SOL_SOCKET, 36
# IPv4, IPv6, IPv4 in IPv6: what to bind to, whom to call.
WAYS = (V4, "10.9.0.2", "10.9.0.1", 5100), (V6, "fd09::2", "fd09::1", 5200), (V6, "::ffff:10.9.0.2", "::ffff:10.9.0.1", 5300)


def make(family, host, port):
    s = socket.socket(family)
    s.bind((host, port))
    s.setsockopt(SOL, SO_MARK, port)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    KEEP.append(s)
    return s


def drop(s):
    KEEP.remove(s)
    s.close()


for family, host, peer, base in WAYS:
    def connected(n, to):
        s = make(family, host, base + n)
        s.connect((peer, to))
        return s

    # SYN-SENT.
    s = make(family, host, base)
    s.setblocking(False)
    assert s.connect_ex((peer, SILENT)) == 115
    # FIN-WAIT-1, held and not; with unsent bytes before the FIN.
    connected(1, NO_ACK).shutdown(socket.SHUT_WR)
    drop(connected(2, NO_ACK))
    s = connected(3, NO_WINDOW)
    s.send(b"x" * 50000)
    s.shutdown(socket.SHUT_WR)
    # FIN-WAIT-2, not held.
    drop(connected(4, ACKS))
    # LAST-ACK, held and not.
    for n in 5, 6:
        s = connected(n, FIN_FIRST)
        assert s.recv(1) == b""
        s.shutdown(socket.SHUT_WR)
    drop(s)
    # CLOSING, likewise.
    for n in 7, 8:
        s = connected(n, FIN_ACROSS)
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""
    drop(s)
    # CLOSE-WAIT.
    assert connected(9, FIN_FIRST).recv(1) == b""
    # No room at the peer; nothing acknowledged; something not in order.
    connected(10, NO_WINDOW).send(b"x" * 50000)
    connected(11, NO_ACK).send(b"x" * 500)
    connected(12, GAP)
# The SYN was lost.
s = make(V4, "10.9.0.2", 5113)
s.connect(("10.9.0.1", LATE))
s.send(b"x")
# Where the peer asks for connections.
make(V4, "10.9.0.2", 4001).listen(3)
make(V6, "::", 4002).listen(3)
print("ready", flush=True)
sys.stdin.read()
