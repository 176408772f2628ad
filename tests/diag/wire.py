"""sock_diag by hand, so that nothing of the code under test is trusted: requests, answers, and the comparison of two sides."""
import select
import socket
import struct

from harness import TMP

DUMP, ACK, ANY = 0x300, 4, 0xffffffff
BY_FAMILY, DESTROY, V1, JOIN = 20, 21, 18, 0x5301


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


def events(side, groups=0xf):
    """Another conversation with a side, which hears of sockets that end."""
    if isinstance(side, Kernel):
        s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
        s.bind((0, groups))
        return s
    s = Host().s
    s.send(message(JOIN, ACK, struct.pack("=I", groups)))
    assert struct.unpack_from("=i", s.recv(4096), 16) == (0,)
    return s


def heard(s, n):
    """The next n sockets that ended, in order of their names."""
    out = []
    while len(out) < n and select.select([s], [], [], 5)[0]:
        data = s.recv(1 << 16)
        assert struct.unpack_from("=IHHII", data) == (len(data), BY_FAMILY, 0, 0, 0), data[:16]
        out.append(row(data[16:]))
    return sorted(out, key=key)


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


CGROUP, MEMINFO, INFO, SKMEMINFO = 21, 1, 2, 7
SYN_SENT = 2
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
        attrs[kind] = len(data) if kind in (MEMINFO, SKMEMINFO) else data
    key = (family, sport, dport)
    if learn is not None:
        learn[key] = (body[4:44], cookie, state)
    return dict(family=family, state=state, timer=timer, retrans=0 if timer == 1 else retrans, sport=sport, dport=dport,
                src=body[8:24][:4 if family == 2 else 16], dst=body[24:40][:4 if family == 2 else 16],
                dev=struct.unpack_from("=I", body, 40)[0], expires=bool(expires) and timer not in (1, 4), rqueue=rqueue,
                wqueue=wqueue, uid=uid, held=bool(inode), attrs=attrs)


# Of struct tcp_info: what is decided by the state and by what was sent, and where it is.
STATE_FIELDS = dict(
    state="B0", ca_state="B1", probes="B3", snd_mss="I16", rcv_mss="I20", unacked="I24", sacked="I28", lost="I32", retrans="I36",
    fackets="I40", pmtu="I60", snd_ssthresh="I76", snd_cwnd="I80", advmss="I84", reordering="I88", max_pacing_rate="Q112",
    bytes_acked="Q120", bytes_received="Q128", notsent_bytes="I144", data_segs_in="I152", delivered="I192", delivered_ce="I196",
    dsack_dups="I216", reord_seen="I220", rcv_ooopack="I224", snd_wnd="I228", total_rto_recoveries="H242")


def tcp_info(d):
    """Its length, and those fields that the state decides."""
    get = lambda at: struct.unpack_from("=" + at[0], d, int(at[1:]))[0]
    r = {"length": len(d), "options": d[5] & 7, **{f: get(at) for f, at in STATE_FIELDS.items()}}
    # How often something was sent again is a matter of time, whether it was is not.
    retransmits, backoff, rtt, rttvar, total_retrans = d[2], d[4], *map(get, ("I68", "I72", "I100"))
    sent, again, segs = get("Q200"), get("Q208"), get("I156")
    r.update(retransmits=bool(retransmits), total_retrans=bool(total_retrans), total_rto=bool(get("H240")),
             bytes_retrans=bool(again), bytes_sent=sent - again, data_segs_out=segs - (total_retrans if again else 0))
    if r["delivered"] < 2:  # but for the SYN nothing, from which there is no rate to be had
        r["app_limited"] = d[7] & 1
    if r["state"] == SYN_SENT:
        r["rttvar"] = rtt, rttvar
        del r["snd_ssthresh"]
    else:
        r["backoff"] = bool(backoff)
    return r


def key(r):
    return (r["family"], r["sport"], r["dport"], r["state"])


def differences(a, b):
    """Of two dictionaries with dictionaries in them."""
    both = {f: (a.get(f), b.get(f)) for f in {**a, **b} if a.get(f) != b.get(f)}
    return {f: differences(*v) if all(isinstance(x, dict) for x in v) else v for f, v in both.items()}


def compare(sides, request, what, learn=None, but=()):
    """The same request to both, and the same answer but for what is each side's own and for some fields. How many sockets."""
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
        diff = {f: d for f, d in differences(a, b).items() if f not in but}
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
