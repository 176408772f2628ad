"""As scene.py, with what is rarer: both families and IPv4 in IPv6 in each state, devices, marks, options."""
import socket
import sys

KEEP = []
TCP, IP, IP6, SOL = socket.IPPROTO_TCP, socket.IPPROTO_IP, socket.IPPROTO_IPV6, socket.SOL_SOCKET
V4, V6, STREAM, DGRAM = socket.AF_INET, socket.AF_INET6, socket.SOCK_STREAM, socket.SOCK_DGRAM
LOOPBACK = {V4: "127.0.0.1", V6: "::1"}
SO_PRIORITY, SO_MARK = 12, 36
IP_RECVERR, IPV6_RECVERR = 11, 25
TCP_DEFER_ACCEPT = 9


def make(family, kind, port, *options, host=None):
    s = socket.socket(family, kind)
    s.setsockopt(SOL, socket.SO_REUSEADDR, kind == STREAM)
    if kind == STREAM:
        s.setsockopt(TCP, socket.TCP_CONGESTION, b"reno")
    for o in options:
        s.setsockopt(*o)
    s.bind((LOOPBACK[family] if host is None else host, port))
    KEEP.append(s)
    return s


def pair(listener, port, family, to, *options):
    """Both ends of a connection."""
    c = make(family, STREAM, port, *options)
    c.connect((LOOPBACK[family], to))
    a, _ = listener.accept()
    KEEP.append(a)
    return c, a


def drop(s):
    KEEP.remove(s)
    s.close()


# Each way a connection can be: IPv4, IPv6, IPv4 in IPv6.
four = make(V4, STREAM, 4101, (SOL, SO_MARK, 0x21), (IP, socket.IP_TOS, 8))
six = make(V6, STREAM, 4102, (IP6, socket.IPV6_TCLASS, 0x40), (SOL, SO_PRIORITY, 5), host="::")
for l in four, six:
    l.listen(20)
WAYS = (four, V4, 4101, 5100), (six, V6, 4102, 5200), (six, V4, 4102, 5300)
for l, family, to, base in WAYS:
    c, a = pair(l, base, family, to, (SOL, SO_MARK, 0x17))
    # TIME-WAIT at the client's end, whose mark stays.
    c, a = pair(l, base + 1, family, to, (SOL, SO_MARK, 0x18))
    drop(c)
    assert a.recv(1) == b""
    drop(a)
    # FIN-WAIT-2 that nobody has any more, CLOSE-WAIT at its other end.
    c, a = pair(l, base + 2, family, to, (SOL, SO_MARK, 0x19))
    drop(c)
    assert a.recv(1) == b""
    # FIN-WAIT-2 that is still held; the receiving side shut down alone.
    c, a = pair(l, base + 3, family, to)
    c.shutdown(socket.SHUT_WR)
    assert a.recv(1) == b""
    c, a = pair(l, base + 4, family, to)
    c.shutdown(socket.SHUT_RD)
    # Bytes to be read at both ends.
    c, a = pair(l, base + 5, family, to)
    c.send(b"x" * 100)
    a.send(b"y" * 77)
    # TIME-WAIT at the server's end.
    c, a = pair(l, base + 6, family, to)
    drop(a)
    assert c.recv(1) == b""
    drop(c)
    # One end was reset: it is in no table, the other neither.
    c, a = pair(l, base + 7, family, to)
    c.setsockopt(SOL, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    drop(c)
    try:
        a.recv(1)
    except ConnectionResetError:
        pass
device = SOL, socket.SO_BINDTODEVICE, b"lo\0"
# Asked for only: nothing was sent on it.
for family, port, host, clients in ((V4, 4103, None, (V4,)), (V6, 4104, "::", (V6, V4))):
    d = make(family, STREAM, port, (TCP, TCP_DEFER_ACCEPT, 60), (SOL, SO_MARK, 0x50), device, host=host)
    d.listen(5)
    for n, client in enumerate(clients):
        make(client, STREAM, 5400 + 10 * (family == V6) + n).connect((LOOPBACK[client], port))
# Listening and connected by a device.
for family, port in ((V4, 4110), (V6, 4111)):
    l = make(family, STREAM, port, device)
    l.listen(4)
    c, a = pair(l, 5500 + family, family, port, device)
    c, a = pair(l, 5520 + family, family, port, device)
    drop(c)
    assert a.recv(1) == b""
    drop(a)
    make(family, DGRAM, 4120 + family, device)
    make(family, DGRAM, 4140 + family, device, host="0.0.0.0" if family == V4 else "::")
    make(family, STREAM, 4180 + family, device)
# Bound, and nothing else.
make(V6, STREAM, 4170)
make(V6, STREAM, 4171, host="::")
make(V6, STREAM, 4172, (IP6, socket.IPV6_V6ONLY, 1), host="::")
make(V4, STREAM, 4173, (SOL, SO_MARK, 0x33), host="0.0.0.0")
make(V6, STREAM, 4174, host="::ffff:127.0.0.1")
# Listening on an IPv4 address in IPv6, and options of listening sockets.
make(V6, STREAM, 4175, host="::ffff:127.0.0.1").listen(3)
make(V6, STREAM, 4176, (IP6, socket.IPV6_V6ONLY, 1), host="::").listen(3)
make(V4, STREAM, 4177, (IP, IP_RECVERR, 1)).listen(3)
# UDP: connected, in each family, with options.
for n, (family, to) in enumerate(((V4, "127.0.0.1"), (V6, "::1"))):
    u = make(family, DGRAM, 4200 + n, (SOL, SO_MARK, 0x44), (SOL, SO_PRIORITY, 4))
    u.connect((to, 4201 - n))
u = make(V6, DGRAM, 4210, host="::")
u.connect(("::ffff:127.0.0.1", 4211))
make(V6, DGRAM, 4212, host="::ffff:127.0.0.1")
make(V6, DGRAM, 4213, (IP6, socket.IPV6_V6ONLY, 1), host="::")
make(V4, DGRAM, 4214, (IP, socket.IP_MULTICAST_LOOP, 0))
make(V6, DGRAM, 4215, (IP6, IPV6_RECVERR, 1), (IP6, socket.IPV6_TCLASS, 0x20))
make(V4, DGRAM, 4216, (IP, socket.IP_TOS, 0x10))
print("ready", flush=True)
sys.stdin.read()
