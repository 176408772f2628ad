#!/usr/bin/env python3
"""A stack host without a stack: it speaks the control protocol and relays to sockets of the kernel.

For what a real host does not do on purpose: another version, dying in the middle, malformed replies.
Usage: fakehost.py [--version N] [--die-at OP] [--garble OP] PATH    prints "ready" when it serves
"""
import argparse, errno, fcntl, mmap, os, selectors, socket, struct, sys, ctypes

HELLO, SOCKET, LOOKUP, BIND, CONNECT, LISTEN, SHUTDOWN, GETNAME, SETOPT, GETOPT, IOCTL, CHECK, ERRQUEUE, ABORT, KILL, \
    FLUSH, OUTQ, RESOLVE, NAMEINFO, IFADDRS = range(1, 21)
NEW, CONNECTING, CONNECTED, LISTENING, CLOSED = range(1, 6)
RESET, RCV_EOF, ERRQ, BOUND, DISSOLVED = 1, 2, 4, 8, 512
CONNECT_END = 2
HEAD = struct.Struct("<HHIiIQ4q")
ENTRIES, ENTRY = 4096, 120
DGRAM = struct.Struct("<HHIIIqI I32s I32s I I40s I")
SO_COOKIE = 57
libc = ctypes.CDLL(None, use_errno=True)

args = argparse.ArgumentParser()
args.add_argument("path")
args.add_argument("--version", type=int, default=2)
args.add_argument("--die-at", type=int, default=0)
args.add_argument("--garble", type=int, default=0)
args = args.parse_args()

board_fd = os.memfd_create("board")
os.ftruncate(board_fd, 128 + ENTRIES * ENTRY)
board = mmap.mmap(board_fd, 128 + ENTRIES * ENTRY)
struct.pack_into("<IIIIIIiI", board, 0, 0x53534231, args.version, ENTRY, ENTRIES, 128, 1, os.getpid(), 0)
sel = selectors.DefaultSelector()
socks = {}
free = list(range(ENTRIES))


def raw_addr(sock, peer):
    """The name of a kernel socket as the bytes of a sockaddr."""
    buf, n = ctypes.create_string_buffer(128), ctypes.c_uint32(128)
    call = libc.getpeername if peer else libc.getsockname
    return buf.raw[:n.value] if call(sock.fileno(), buf, ctypes.byref(n)) == 0 else b""


class Sock:
    def __init__(self, domain, kind, protocol, kernel=None):
        self.domain, self.kind, self.protocol = domain, kind, protocol
        self.kernel = kernel or socket.socket(domain, kind, protocol)
        self.kernel.setblocking(False)
        self.ours, self.theirs = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_STREAM if kind == socket.SOCK_STREAM else socket.SOCK_SEQPACKET)
        self.ours.setblocking(False)
        self.cookie = struct.unpack("<Q", self.theirs.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]
        self.index, self.changes, self.error, self.flags = free.pop(0), 0, 0, 32
        self.to_kernel = self.to_pair = b""
        self.shut = set()
        self.filler = 0
        self.stream = kind == socket.SOCK_STREAM
        if self.stream and not kernel:
            self.fill()
        socks[self.cookie] = self
        self.set_state(CONNECTED if kernel else NEW)
        sel.register(self.ours, selectors.EVENT_READ, self.pair_event)
        if not self.stream:
            sel.register(self.kernel, selectors.EVENT_READ, self.dgram_event)

    def fill(self):
        self.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.theirs.setblocking(False)
        try:
            while True:
                self.filler += self.theirs.send(b"\0" * 512)
        except BlockingIOError:
            pass
        self.theirs.setblocking(True)

    def drain(self):
        while self.filler:
            self.filler -= len(self.ours.recv(self.filler))

    def set_state(self, state=None):
        if state:
            self.state, self.changes = state, self.changes + 1
        at = 128 + self.index * ENTRY
        seq = struct.unpack_from("<I", board, at)[0]
        struct.pack_into("<I", board, at, seq + 1)
        a, b = raw_addr(self.kernel, False)[:32], raw_addr(self.kernel, True)[:32]
        struct.pack_into("<IiIQI32sI32sI", board, at + 4, self.changes << 8 & 0xffffffff | self.state, self.error,
                         self.flags, self.cookie, len(a), a, len(b), b, 0)
        struct.pack_into("<I", board, at, seq + 2)
        address = ctypes.c_char.from_buffer(board, at + 4)
        libc.syscall(202, ctypes.byref(address), 1, 1 << 30, 0, 0, 0)

    def fail(self, err, flags=0):
        self.error, self.flags = err, self.flags | flags
        self.set_state(CLOSED)
        if self in idle:        # how it ends is still to be asked
            idle.remove(self)
        self.ours.shutdown(socket.SHUT_RDWR)
        for s in (self.ours, self.kernel):
            try:
                sel.unregister(s)
            except (KeyError, ValueError):
                pass

    def connected(self):
        self.drain()
        self.set_state(CONNECTED)
        sel.register(self.kernel, selectors.EVENT_READ, self.kernel_event)

    def end(self):
        if self.state != CLOSED or self.flags & DISSOLVED:
            return -errno.EISCONN
        err, self.error, self.flags = self.error or errno.ECONNABORTED, 0, self.flags | DISSOLVED
        self.set_state()
        return -err

    def connect(self, raw):
        if self.state == CONNECTING:
            return -errno.EALREADY
        if self.state == CONNECTED and self.stream:
            return -errno.EISCONN
        r = libc.connect(self.kernel.fileno(), raw, len(raw))
        e = ctypes.get_errno() if r else 0
        if not self.stream:
            self.set_state()
            return -e
        if e == errno.EINPROGRESS:
            self.set_state(CONNECTING)
            sel.register(self.kernel, selectors.EVENT_WRITE, self.connect_event)
        elif e == 0:
            self.connected()
        return -e

    def connect_event(self, mask):
        sel.unregister(self.kernel)
        e = self.kernel.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if e:
            self.fail(e)
        else:
            self.connected()

    def accept_event(self, mask):
        try:
            conn, _ = self.kernel.accept()
        except OSError:
            return
        new = Sock(self.domain, self.kind, self.protocol, conn)
        sel.register(conn, selectors.EVENT_READ, new.kernel_event)
        peer = raw_addr(conn, True)[:32]
        msg = struct.pack("<QII32sI", new.cookie, new.index, len(peer), peer, 0)
        msg += b"\0" * (56 - len(msg))
        socket.send_fds(self.ours, [msg], [new.theirs.fileno()])
        new.theirs.close()

    def watch(self, sock, fn, mask):
        try:
            sel.modify(sock, mask, fn)
        except KeyError:
            sel.register(sock, mask, fn)

    def kernel_event(self, mask):
        if mask & selectors.EVENT_WRITE and self.to_kernel:
            self.push_kernel()
        if not mask & selectors.EVENT_READ or self.to_pair:
            return
        try:
            data = self.kernel.recv(65536)
        except OSError as e:
            return self.fail(e.errno, RESET)
        if not data:
            self.flags |= RCV_EOF
            self.set_state()
            self.ours.shutdown(socket.SHUT_WR)
            sel.unregister(self.kernel)
            return
        self.to_pair = data
        self.push_pair()

    def push_pair(self):
        try:
            self.to_pair = self.to_pair[self.ours.send(self.to_pair):]
        except BlockingIOError:
            pass
        except OSError:
            self.to_pair = b""
        want = selectors.EVENT_READ | (selectors.EVENT_WRITE if self.to_pair else 0)
        self.watch(self.ours, self.pair_event, want)
        if self.to_pair:
            sel.unregister(self.kernel)
        elif not self.flags & RCV_EOF and self.kernel.fileno() >= 0:
            self.watch(self.kernel, self.kernel_event, selectors.EVENT_READ)

    def push_kernel(self):
        try:
            self.to_kernel = self.to_kernel[self.kernel.send(self.to_kernel):]
        except BlockingIOError:
            pass
        except OSError as e:
            return self.fail(e.errno, RESET)
        if self.to_kernel:
            self.watch(self.kernel, self.kernel_event, selectors.EVENT_READ | selectors.EVENT_WRITE)
            try:
                sel.unregister(self.ours)
            except KeyError:
                pass
        else:
            if not self.flags & RCV_EOF:
                self.watch(self.kernel, self.kernel_event, selectors.EVENT_READ)
            self.watch(self.ours, self.pair_event, selectors.EVENT_READ)

    def close(self):
        for s in (self.ours, self.kernel):
            try:
                sel.unregister(s)
            except (KeyError, ValueError):
                pass
        socks.pop(self.cookie, None)
        struct.pack_into("<Q", board, 128 + self.index * ENTRY + 16, 0)
        free.append(self.index)
        self.ours.close()
        self.kernel.close()

    def pair_event(self, mask):
        if mask & selectors.EVENT_WRITE and self.to_pair:
            self.push_pair()
        if not mask & selectors.EVENT_READ:
            return
        if self.stream and self.state != CONNECTED:
            # Filled: readable from the start. Is the other end still there?
            p = __import__("select").poll()
            p.register(self.ours, 0)
            if p.poll(0):
                return self.close()
            sel.unregister(self.ours)
            idle.append(self)
            return
        try:
            data = self.ours.recv(200000)
        except OSError:
            data = b""
        if not self.stream and data:
            return self.dgram_out(data)
        if data:
            self.to_kernel += data
            return self.push_kernel()
        if "wr" in self.shut:
            sel.unregister(self.ours)
            p = __import__("select").poll()
            p.register(self.ours, 0)
            if p.poll(0):
                return self.close()
            idle.append(self)
            return
        self.close()

    def dgram_out(self, data):
        d = DGRAM.unpack_from(data)
        to, payload = d[8][:d[7]], data[d[0]:]
        if to:
            libc.sendto(self.kernel.fileno(), payload, len(payload), 0, to, len(to))
        else:
            try:
                self.kernel.send(payload)
            except OSError as e:
                self.error = e.errno
                self.set_state()

    def dgram_event(self, mask):
        buf, name, n = ctypes.create_string_buffer(70000), ctypes.create_string_buffer(128), ctypes.c_uint32(128)
        r = libc.recvfrom(self.kernel.fileno(), buf, 70000, 0x40, name, ctypes.byref(n))
        if r < 0:
            e = ctypes.get_errno()
            if e == errno.EAGAIN:
                return
            self.error = e
            self.set_state()
            self.ours.send(DGRAM.pack(DGRAM.size, 128, 0, 0, 0, 0, 0, 0, b"", 0, b"", 0, 0, b"", 0))
            return
        peer = name.raw[:n.value]
        self.ours.send(DGRAM.pack(DGRAM.size, 0, 0, 0, 0, 0, r, len(peer), peer, 0, b"", 0, 0, b"", 0) + buf.raw[:r])


idle = []       # pairs that can't be waited for but for their end


def reply(conn, op, seq, err=0, cookie=0, arg=(0, 0, 0, 0), data=b"", fds=()):
    version = args.version
    if args.garble == op:
        data, seq = b"x" * 3, seq + 1
    msg = HEAD.pack(version, op, seq, err, len(data), cookie, *arg) + data
    if fds:
        socket.send_fds(conn, [msg], fds)
    else:
        conn.send(msg)


def on_socket(conn, op, seq, s, arg, data):
    err, out = 0, b""
    if op == BIND:
        err = -ctypes.get_errno() if libc.bind(s.kernel.fileno(), data, len(data)) else 0
        s.flags |= BOUND if not err else 0
        s.set_state()
    elif op == CONNECT:
        err = s.end() if arg[0] & CONNECT_END else s.connect(data)
    elif op == LISTEN:
        err = -ctypes.get_errno() if libc.listen(s.kernel.fileno(), arg[0]) else 0
        if not err and s.state != LISTENING:
            s.set_state(LISTENING)
            sel.register(s.kernel, selectors.EVENT_READ, s.accept_event)
    elif op == SHUTDOWN:
        err = -ctypes.get_errno() if libc.shutdown(s.kernel.fileno(), arg[0]) else 0
        if not err and arg[0]:
            s.shut.add("wr")
            s.ours.shutdown(socket.SHUT_RD)
    elif op == SETOPT:
        err = -ctypes.get_errno() if libc.setsockopt(s.kernel.fileno(), arg[0], arg[1], data, len(data)) else 0
    elif op == GETOPT:
        if arg[:2] == (1, 4):
            out, s.error = struct.pack("<i", s.error), 0
            s.set_state()
        else:
            buf, n = ctypes.create_string_buffer(256), ctypes.c_uint32(min(arg[2], 256))
            err = -ctypes.get_errno() if libc.getsockopt(s.kernel.fileno(), arg[0], arg[1], buf, ctypes.byref(n)) else 0
            out = buf.raw[:n.value]
    elif op == ABORT:
        s.kernel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("<ii", 1, 0))
        s.kernel.close()
        s.fail(errno.ECONNRESET, RESET)
    elif op == CHECK and not data and s.state == NEW and not raw_addr(s.kernel, True):
        err = -errno.EDESTADDRREQ
    elif op in (CHECK, FLUSH, OUTQ):
        pass
    elif op == LOOKUP:
        return reply(conn, op, seq, cookie=s.cookie, arg=(s.domain, s.kind, s.protocol, s.index))
    else:
        err = -errno.EOPNOTSUPP
    reply(conn, op, seq, err, s.cookie, data=out)


def control_event(conn):
    def event(mask):
        try:
            data = conn.recv(8192)
        except OSError:
            data = b""
        if len(data) < HEAD.size:
            sel.unregister(conn)
            return conn.close()
        version, op, seq, err, n, cookie, *arg = HEAD.unpack_from(data)
        data = data[HEAD.size:]
        if op == args.die_at:
            os.kill(os.getpid(), 9)
        if op == HELLO:
            ok = arg[0] == args.version
            reply(conn, op, seq, 0 if ok else -errno.EPROTO, 0, (args.version, os.getpid(), ENTRIES, 0), b"fake",
                  [board_fd] if ok else [])
        elif op == SOCKET:
            try:
                s = Sock(*arg[:3])
            except OSError as e:
                return reply(conn, op, seq, -e.errno)
            reply(conn, op, seq, 0, s.cookie, (s.index, 0, 0, 0), fds=[s.theirs.fileno()])
            s.theirs.close()
        elif cookie in socks:
            on_socket(conn, op, seq, socks[cookie], tuple(arg), data)
        else:
            reply(conn, op, seq, -errno.ENOENT if op == LOOKUP else -errno.EBADF)
    return event


def accept_control(mask):
    conn, _ = control.accept()
    sel.register(conn, selectors.EVENT_READ, control_event(conn))


control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
control.bind(args.path)
control.listen(64)
sel.register(control, selectors.EVENT_READ, accept_control)
print("ready", flush=True)
while True:
    for key, mask in sel.select(0.02 if idle else None):
        try:
            key.data(mask)
        except OSError:
            pass
    for s in idle[:]:
        p = __import__("select").poll()
        if s.ours.fileno() < 0:
            idle.remove(s)
            continue
        p.register(s.ours, 0)
        if p.poll(0):
            idle.remove(s)
            s.close()
        elif s.state == CONNECTED and "wr" not in s.shut:
            idle.remove(s)
            sel.register(s.ours, selectors.EVENT_READ, s.pair_event)
