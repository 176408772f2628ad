"""A peer that leaves connections where they are: TCP by hand on an Ethernet device, which does by its port what it should not.

It answers for 10.9.0.1 and fd09::1, 02:00:00:00:00:01; the other side is 10.9.0.2 and fd09::2, 02:00:00:00:00:02."""
import fcntl
import os
import select
import socket
import struct
import threading

MAC, OTHER_MAC = b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"
LOCAL = {4: socket.inet_aton("10.9.0.1"), 6: socket.inet_pton(socket.AF_INET6, "fd09::1")}
OTHER = {4: socket.inet_aton("10.9.0.2"), 6: socket.inet_pton(socket.AF_INET6, "fd09::2")}
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

# What it does, by its port.
SILENT = 7001       # answers nothing
NO_ACK = 7002       # answers a SYN, and nothing more
ACKS = 7003         # acknowledges everything, and sends no FIN
FIN_FIRST = 7004    # sends a FIN as soon as the connection is there, and acknowledges nothing
FIN_ACROSS = 7005   # answers a FIN with its own, which does not acknowledge it
NO_WINDOW = 7006    # has no room for anything, and says so when asked
GAP = 7007          # sends bytes that are not the next ones
LATE = 7008         # answers the second SYN alone, and then as ACKS
LATE_TOO = 6004     # as ask(): acknowledges the second SYN-ACK that it gets


def sum16(data):
    n = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while n >> 16:
        n = (n & 0xffff) + (n >> 16)
    return ~n & 0xffff


class Peer(threading.Thread):
    """Reads and writes frames at a descriptor until it is stopped."""

    def __init__(self, fd):
        super().__init__(daemon=True)
        self.fd = fd
        self.seen = {}  # how many SYNs or SYN-ACKs, by version and ports
        self.first = {}  # sequence number of the other's SYN
        self.opened = set()
        self.stopped, self.stop_end = os.pipe()
        self.start()

    def stop(self):
        os.close(self.stop_end)
        self.join()
        os.close(self.stopped)

    def run(self):
        while self.stopped not in select.select([self.fd, self.stopped], [], [])[0]:
            self.frame(os.read(self.fd, 1 << 17))

    def frame(self, f):
        kind, body = f[12:14], f[14:]
        if f[6:12] != OTHER_MAC:
            return
        if kind == b"\x08\x06" and body[24:28] == LOCAL[4] and body[7] == 1:
            self.send(kind, body[:7] + b"\2" + MAC + LOCAL[4] + body[8:18])
        elif kind == b"\x08\x00" and body[9] == 6 and body[16:20] == LOCAL[4]:
            self.segment(4, body[(body[0] & 15) * 4:struct.unpack_from("!H", body, 2)[0]])
        elif kind == b"\x86\xdd" and body[6] == 6 and body[24:40] == LOCAL[6]:
            self.segment(6, body[40:40 + struct.unpack_from("!H", body, 4)[0]])
        elif kind == b"\x86\xdd" and body[6] == 58 and body[40] == 135 and body[48:64] == LOCAL[6]:
            if any(body[8:24]):
                self.packet(6, 58, b"\x88\0\0\0\x60\0\0\0" + LOCAL[6] + b"\2\1" + MAC, 2, 255)

    def send(self, kind, body):
        os.write(self.fd, OTHER_MAC + MAC + kind + body)

    def packet(self, version, protocol, data, cksum_at, ttl=64):
        """Sends it, with its checksum put in."""
        pseudo = LOCAL[version] + OTHER[version] + struct.pack("!II", len(data), protocol)
        data = data[:cksum_at] + struct.pack("!H", sum16(pseudo + data)) + data[cksum_at + 2:]
        if version == 4:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0, ttl, protocol, 0) + LOCAL[4] + OTHER[4]
            self.send(b"\x08\x00", head[:10] + struct.pack("!H", sum16(head)) + head[12:] + data)
        else:
            self.send(b"\x86\xdd", struct.pack("!IHBB", 6 << 28, len(data), protocol, ttl) + LOCAL[6] + OTHER[6] + data)

    def say(self, version, port, to, seq, ack, flags, window=30000, data=b""):
        options = b"\2\4\5\xb4" if flags & SYN else b""
        self.packet(version, 6, struct.pack("!HHIIBBHHH", port, to, seq & 0xffffffff, ack & 0xffffffff,
                                            (20 + len(options)) // 4 << 4, flags, window, 0, 0) + options + data, 16)

    def ask(self, version, port, to):
        """A SYN, after which nothing more comes, but from LATE_TOO."""
        self.say(version, port, to, 1000, 0, SYN)

    def segment(self, version, s):
        to, port, seq, ack, offset, flags, _, _, _ = struct.unpack_from("!HHIIBBHHH", s)
        length = len(s) - (offset >> 4) * 4 + bool(flags & (SYN | FIN))
        name = version, port, to
        # All sequence numbers of the peer's begin with 1000.
        say = lambda *a, **kw: self.say(version, port, to, *a, **kw)
        if port == SILENT or flags & RST:
            return
        if flags & SYN:
            self.seen[name] = self.seen.get(name, 0) + 1
            self.first[name] = seq
            late = self.seen[name] > 1
            if flags & ACK:
                if port == LATE_TOO and late:
                    say(1001, seq + 1, ACK)
            elif port != LATE or late:
                say(1000, seq + 1, SYN | ACK, 0 if port == NO_WINDOW else 30000)
            return
        opening = name not in self.opened
        self.opened.add(name)
        if port == FIN_FIRST and opening:
            say(1001, seq, FIN | ACK)
        elif port == GAP and opening:
            say(1101, seq, ACK | PSH, data=b"later")
        elif port == FIN_ACROSS and flags & FIN and ack == 1001:
            say(1001, seq + length - 1, FIN | ACK)
        elif port == NO_WINDOW and not opening:
            say(1001, self.first[name] + 1, ACK, 0)
        elif port in (ACKS, LATE) and length:
            say(1001, seq + length, ACK)


def tap(name):
    """The descriptor of a new device that the kernel uses as its own."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, 0x400454ca, struct.pack("16sH22x", name.encode(), 0x1002))  # TUNSETIFF: TAP, NO_PI
    return fd
