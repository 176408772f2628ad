"""Sockets in as many states as can be had on a loopback interface; "ready" when they are there.

Run twice, without the library and with it, it makes the same sockets in the kernel and in a stack."""
import socket
import struct
import sys

KEEP = []
TCP, IP, IP6, SOL = socket.IPPROTO_TCP, socket.IPPROTO_IP, socket.IPPROTO_IPV6, socket.SOL_SOCKET
SO_MARK, SO_PRIORITY, IP_RECVERR, TCP_DEFER_ACCEPT = 36, 12, 11, 9


def sock(family, kind, port, host=None):
    s = socket.socket(family, kind)
    if kind == socket.SOCK_STREAM:
        s.setsockopt(TCP, socket.TCP_CONGESTION, b"reno")
    s.bind((host or ("127.0.0.1" if family == socket.AF_INET else "::1"), port))
    KEEP.append(s)
    return s


def listener(family, port, backlog, host=None, **opts):
    s = sock(family, socket.SOCK_STREAM, port, host)
    s.listen(backlog)
    return s


def connected(family, port, to, host=None):
    s = sock(family, socket.SOCK_STREAM, port, host)
    s.connect((host or ("127.0.0.1" if family == socket.AF_INET else "::1"), to))
    return s


def accept(l):
    s, _ = l.accept()
    KEEP.append(s)
    return s


V4, V6 = socket.AF_INET, socket.AF_INET6
l4 = listener(V4, 4001, 7)
l6 = listener(V6, 4002, 9, "::")
only6 = socket.socket(V6)
only6.setsockopt(TCP, socket.TCP_CONGESTION, b"reno")
only6.setsockopt(IP6, socket.IPV6_V6ONLY, 1)
only6.bind(("::1", 4012))
only6.listen(2)

# A connection with options at one end, unread bytes at the other.
a = connected(V4, 5001, 4001)
b = accept(l4)
a.setsockopt(SOL, SO_MARK, 0x17)
a.setsockopt(IP, socket.IP_TOS, 0x10)
a.setsockopt(SOL, SO_PRIORITY, 3)
a.send(b"unread")
# IPv6 with a traffic class.
a6 = connected(V6, 5002, 4002)
b6 = accept(l6)
a6.setsockopt(IP6, socket.IPV6_TCLASS, 0x20)
# IPv4 in IPv6, half closed.
h = connected(V4, 5003, 4002)
g = accept(l6)
h.shutdown(socket.SHUT_WR)
assert g.recv(1) == b""
# Two that nobody has accepted.
connected(V4, 5004, 4001)
connected(V4, 5014, 4001)
# TIME-WAIT at the end that closed first.
t = connected(V4, 5005, 4001)
for _ in range(2):
    KEEP.append(l4.accept()[0])
u = l4.accept()[0]
KEEP.remove(t)
t.close()
assert u.recv(1) == b""
u.close()
connected(V4, 5015, 4001)
# A connection that is only asked for: nothing was sent on it.
d = sock(V4, socket.SOCK_STREAM, 4003)
d.setsockopt(TCP, TCP_DEFER_ACCEPT, 60)
d.listen(3)
connected(V4, 5007, 4003)
# Bound, and nothing else.
sock(V4, socket.SOCK_STREAM, 4004)
# UDP.
e = sock(V4, socket.SOCK_DGRAM, 4005)
e.setsockopt(IP, IP_RECVERR, 1)
f = sock(V4, socket.SOCK_DGRAM, 5010)
f.connect(("127.0.0.1", 4005))
sock(V6, socket.SOCK_DGRAM, 4006)
sock(V6, socket.SOCK_DGRAM, 4007, "::")
sock(V4, socket.SOCK_DGRAM, 4009, "0.0.0.0")
# A keepalive timer.
a6.setsockopt(SOL, socket.SO_KEEPALIVE, 1)
print("ready", flush=True)
sys.stdin.read()
