"""What the tests of a stack host's diagnostics share: a namespace of their own, hosts, programs, and the running of tests."""
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

B = os.path.abspath(os.environ.get("B", "build"))
HERE = os.path.dirname(os.path.abspath(__file__))
TOOL, HOST, LIBRARY = B + "/sockdiag", B + "/sockshim-stackd", B + "/libsockshim.so"

if os.environ.get("STACK_TEST_NAMESPACE") != "own":
    os.environ["STACK_TEST_NAMESPACE"] = "own"
    for unshare in (["unshare", "-n"], ["unshare", "-rn"]):
        if subprocess.run([*unshare, "true"], stderr=subprocess.DEVNULL).returncode == 0:
            os.execvp("unshare", [*unshare, sys.executable, *sys.argv])
    print("skip stack: no right to make a network namespace")
    sys.exit(0)
if not os.path.exists(LIBRARY):
    print("skip stack: no library in this build")
    sys.exit(0)
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

TMP = tempfile.mkdtemp()
os.environ["SOCKSHIM_DIR"] = TMP
TESTS = []


class Skip(Exception):
    pass


def test(f):
    TESTS.append(f)
    return f


def fresh_namespace():
    """What one test leaves in the kernel (TIME-WAIT) is not in the next one's way."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "unshare")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            raise Skip("no " + p)


class Child:
    """A program that is ended with the test."""

    def __init__(self, args, **kw):
        self.p = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **kw)

    def line(self):
        return self.p.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.p.stdin.close()
        try:
            self.p.wait(5)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
        self.p.stdout.close()


class Stack:
    """A host of a stack that has a loopback interface."""

    def __init__(self, name="t", spec="lo"):
        self.name = name
        r, w = os.pipe()
        self.p = subprocess.Popen([HOST, "--foreground", "--name", name, "--keep", "--status-fd", str(w), spec],
                                  pass_fds=[w])
        os.close(w)
        with os.fdopen(r) as f:
            said = f.readline()
        assert said.startswith("ready"), said
        self.env = {**os.environ, "LD_PRELOAD": LIBRARY, "SOCKSHIM_STACK": name}

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.p.terminate()
        status = self.p.wait(10)
        assert status == 0, f"the host ended with {status}"

    def python(self, code, *args):
        return Child([sys.executable, "-c", code, *args], env=self.env)

    def scene(self, name="scene.py"):
        return Child([sys.executable, HERE + "/" + name], env=self.env)

    def run(self, *args, status=0, **env):
        r = subprocess.run(args, capture_output=True, text=True, timeout=30, env={**self.env, **env})
        assert status is None or r.returncode == status, (args, r.returncode, r.stdout, r.stderr)
        return r.stdout

    def tool(self, *args, status=0):
        r = subprocess.run([TOOL, "--source", "stack:" + self.name, *args], capture_output=True, text=True, timeout=30)
        assert status is None or r.returncode == status, (args, r.returncode, r.stdout, r.stderr)
        return r.stdout


def words(text):
    return [" ".join(l.split()) for l in text.splitlines()]


def eventually(f, *args):
    """The first true value of f within a few seconds."""
    end = time.monotonic() + 10
    while True:
        r = f(*args)
        if r or time.monotonic() > end:
            return r
        time.sleep(0.01)


def settled(source):
    """Whether the last FIN of the scene is acknowledged."""
    return eventually(lambda: "FIN-WAIT-1" not in subprocess.run([TOOL, "--source", source, "-Htan"], capture_output=True,
                                                                 text=True).stdout)


def main():
    wanted, failed = sys.argv[1:], 0
    for f in TESTS:
        if wanted and f.__name__ not in wanted:
            continue
        try:
            fresh_namespace()
            f()
            print("ok", f.__name__, flush=True)
        except Skip as e:
            print("skip", f.__name__ + ":", e, flush=True)
        except Exception:
            failed += 1
            print("not ok", f.__name__)
            print("  " + traceback.format_exc().replace("\n", "\n  "), flush=True)
    shutil.rmtree(TMP, ignore_errors=True)
    return failed > 0
