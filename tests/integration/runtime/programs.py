"""Small programs that behave as the commands of steps do, well and badly."""

COUNT_SIGNALS = """
import os, signal, sys, time
path, seconds = sys.argv[1], float(sys.argv[2])
counts = {"SIGINT": 0, "SIGTERM": 0}
def write():
    with open(path + ".part", "w") as file:
        file.write(f"{counts['SIGINT']} {counts['SIGTERM']}")
    os.replace(path + ".part", path)
def note(number, frame):
    counts[signal.Signals(number).name] += 1
    write()
signal.signal(signal.SIGINT, note)
signal.signal(signal.SIGTERM, note)
write()
print("ready", flush=True)
while not counts["SIGINT"]:
    time.sleep(0.01)
end = time.monotonic() + seconds
while time.monotonic() < end:
    time.sleep(0.01)
print("state saved", flush=True)
"""
"""Counts SIGINT and SIGTERM in a file; ends by itself so many seconds after the first SIGINT, as terraform does."""

DEAF = """
import signal, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda *_: None)
open("ready", "w").close()
print("ready", flush=True)
while True:
    time.sleep(1)
"""
"""Hears no signal but SIGKILL."""

ESCAPE = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        if "wiped" in sys.argv:
            os.execve("/bin/sleep", ["sleep", sys.argv[-1]], {})
        time.sleep(1000)
    os._exit(0)
os.wait()
open("ready", "w").close()
print("ready", flush=True)
if "stay" in sys.argv:
    time.sleep(1000)
"""
"""Leaves a grandchild in a session of its own, which holds the pipes open."""

FLOOD = """
import os, signal, sys
signal.signal(signal.SIGINT, lambda *_: sys.exit(7))
block = b"x" * 99 + b"\\n"
while True:
    os.write(1, block * 500)
"""
"""Writes without end; ends with 7 when interrupted."""

DISPOSITIONS = """
import os, signal
ignored = [number for number in signal.valid_signals() if signal.getsignal(number) == signal.SIG_IGN]
print(ignored, signal.pthread_sigmask(signal.SIG_BLOCK, []), os.getpid() == os.getpgrp() == os.getsid(0))
print(sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1], os.readlink("/proc/self/fd/0"), os.getcwd())
"""
