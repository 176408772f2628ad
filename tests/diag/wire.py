"""sock_diag by hand, so that nothing of the code under test is trusted: requests, answers, and the comparison of two sides."""
import select
import socket
import struct

from harness import TMP

DUMP, ACK, ANY = 0x300, 4, 0xffffffff
BY_FAMILY, DESTROY, V1 = 20, 21, 18


class Kernel:
    def __init__(self):
        self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
        self.s.bind((0, 0))
        self.pid = self.s.getsockname()[0]

    def ask(self, request):
        self.s.send(request)
        return self.s, self.pid


class Host:
    def __init__(self, name="t"):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.connect(f"{TMP}/stack/{name}.diag")

    def ask(self, request):
        # Answers carry the port id that the request does, which may be several messages.
        data, at = bytearray(request), 0
        while at + 16 <= len(data):
            n = struct.unpack_from("=I", data, at)[0]
            struct.pack_into("=I", data, at + 12, 77)
            if n < 16:
                break
            at += (n + 3) & ~3
        self.s.send(data)
        return self.s, 77


def message(kind, flags, body, seq=5, length=None):
    return struct.pack("=IHHII", 16 + len(body) if length is None else length, kind, flags | 1, seq, 0) + body


def sockid(sport=0, dport=0, src=b"", dst=b"", dev=0, cookie=(ANY, ANY)):
    return (struct.pack(">HH", sport, dport) + src.ljust(16, b"\0") + dst.ljust(16, b"\0") +
            struct.pack("=III", dev, *cookie))


def v2(family, protocol, ext=0, states=ANY, ident=None, pad=0, attrs=b""):
    return struct.pack("=BBBBI", family, protocol, ext, pad, states) + (ident or sockid()) + attrs


def attr(kind, data):
    return (struct.pack("=HH", 4 + len(data), kind) + data).ljust((len(data) + 7) // 4 * 4, b"\0")


SENTINEL = 0xdeadbee


def answers(side, request):
    """All messages that answer it: (type, flags, sequence number, ours, body)."""
    s, pid = side.ask(request)
    n, kind, flags = struct.unpack_from("=IHH", request + bytes(8))
    out = []
    # The kernel has answered by now; the host answers in order, and then something that it always refuses.
    if isinstance(side, Host):
        side.ask(message(100, 0, b"", seq=SENTINEL))
    waiting = isinstance(side, Host)
    dump = flags & 1 and flags & DUMP and kind in (V1, BY_FAMILY) and 16 <= n <= len(request)
    while select.select([s], [], [], 5 if waiting or dump else 0)[0]:
        data = s.recv(1 << 17)
        assert data, "the other side is gone"
        while len(data) >= 16:
            n, kind, flags, seq, port = struct.unpack_from("=IHHII", data)
            assert 16 <= n <= len(data)
            if seq == SENTINEL:
                waiting = False
            else:
                out.append((kind, flags, seq, port == pid, data[16:n]))
                dump = dump and kind not in (2, 3)
            data = data[(n + 3) & ~3:]
    return out


CGROUP, MEMINFO, INFO, CONG, SKMEMINFO = 21, 1, 2, 4, 7
OF_CONGESTION = 3, 9, 16  # VEGASINFO, DCTCPINFO, BBRINFO


def row(body, learn=None):
    """A socket, with what time, memory and whose it is left out."""
    family, state, timer, retrans = struct.unpack_from("=BBBB", body)
    sport, dport = struct.unpack_from(">HH", body, 4)
    cookie = struct.unpack_from("=II", body, 44)
    expires, rqueue, wqueue, uid, inode = struct.unpack_from("=IIIII", body, 52)
    attrs, at = {}, 72
    while at + 4 <= len(body):
        n, kind = struct.unpack_from("=HH", body, at)
        data = body[at + 4:at + n]
        at += (n + 3) & ~3
        if kind in (CGROUP, *OF_CONGESTION):
            continue
        if kind == INFO:
            data = tcp_info(data)
        # Which congestion control is the default, is a setting.
        attrs[kind] = len(data) if kind in (MEMINFO, SKMEMINFO) else kind == CONG or data
    key = (family, sport, dport)
    if learn is not None:
        learn[key] = (body[4:44], cookie, state)
    return dict(family=family, state=state, timer=timer, retrans=0 if timer == 1 else retrans, sport=sport, dport=dport,
                src=body[8:24][:4 if family == 2 else 16], dst=body[24:40][:4 if family == 2 else 16],
                dev=struct.unpack_from("=I", body, 40)[0], expires=bool(expires) and timer != 1, rqueue=rqueue,
                wqueue=wqueue, uid=uid, attrs=attrs)


def tcp_info(d):
    """Its length, and those fields that the state decides."""
    return (len(d), "state", d[0], "ca_state", d[1], "retransmits", d[2], "probes", d[3], "backoff", d[4],
            "options", d[5] & 7, "unacked", *struct.unpack_from("=IIII", d, 24),
            "bytes_acked", "bytes_received", *struct.unpack_from("=QQ", d, 120), "data_segs", *struct.unpack_from("=II", d, 152),
            "notsent", struct.unpack_from("=I", d, 144)[0])


def key(r):
    return (r["family"], r["sport"], r["dport"], r["state"])


def compare(sides, request, what, learn=None):
    """The same request to both, and the same answer but for what is each side's own. How many sockets."""
    got = []
    for i, side in enumerate(sides):
        rows, rest = [], []
        for kind, flags, seq, ours, body in answers(side, request):
            assert ours, (what, "the port id")
            if kind in (BY_FAMILY, V1) and len(body) >= 72:
                rows.append({"type": kind, "flags": flags, "seq": seq, **row(body, learn[i] if learn else None)})
            elif kind == 2 and len(body) >= 20:
                # The request comes back, in which the port id is the host's asker's own.
                rest.append((kind, flags, seq, body[:16], body[20:]))
            else:
                rest.append((kind, flags, seq, body))
        got.append((sorted(rows, key=key), rest))
    (k, krest), (h, hrest) = got
    for a, b in zip(k, h):
        diff = {f: (a[f], b[f]) for f in a if a[f] != b[f]}
        if diff:
            raise AssertionError(f"{what}: {key(a)} and {key(b)}: kernel, host: {diff}")
    assert len(k) == len(h), (what, "kernel", [key(r) for r in k], "host", [key(r) for r in h])
    assert krest == hrest, (what, "kernel", krest, "host", hrest)
    return len(k)


def pair(sides, requests, what):
    """compare() for requests in which names differ: errors are compared by their number."""
    got = []
    for side, request in zip(sides, requests):
        out = []
        for kind, flags, seq, ours, body in answers(side, request):
            assert ours
            out.append((kind, row(body)) if kind == BY_FAMILY else (kind, flags, seq, body[:4]))
        got.append(out)
    assert got[0] == got[1], (what, "kernel", got[0], "host", got[1])
