"""Repeats one operation with CPython's own mmap, and prints the nanoseconds of each run.

python.py FILE LENGTH find|rfind|readline [NEEDLE IN HEXADECIMAL]: prints a number for every line of standard input.
"""

import mmap
import sys
import time

path, length, operation, needle = sys.argv[1], int(sys.argv[2]), sys.argv[3], bytes.fromhex("".join(sys.argv[4:]))
with open(path, "rb") as file, mmap.mmap(file.fileno(), length, access=mmap.ACCESS_READ) as mapping:

    def readline():
        mapping.seek(0)
        for _ in iter(mapping.readline, b""):
            pass

    def search():
        getattr(mapping, operation)(needle, 0)

    act = readline if operation == "readline" else search
    for _ in sys.stdin:
        start = time.perf_counter_ns()
        act()
        print(time.perf_counter_ns() - start, flush=True)
