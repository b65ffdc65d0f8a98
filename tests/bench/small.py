"""Run a Python program and write down what it took: `python small.py FILE PROGRAM…`.

On Linux a process begins with the peak memory of the one that started it. So this one, which imports next to
nothing and stays small, stands between a part of `make bench` and what it measures.
"""

import json
import os
import sys
import time

if __name__ == "__main__":
    file, *words = sys.argv[1:]
    began = time.monotonic()
    process = os.posix_spawn(sys.executable, [sys.executable, *words], os.environ)
    _, status, used = os.wait4(process, 0)
    spent = (time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
    with open(file, "w") as opened:
        json.dump(spent, opened)
    sys.exit(os.waitstatus_to_exitcode(status))
