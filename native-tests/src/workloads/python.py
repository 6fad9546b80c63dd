"""Does one thing over and over with CPython's own mmap, and tells the nanoseconds of each time.

python.py FILE LENGTH find|rfind|readline [NEEDLE IN HEXADECIMAL]: answers every line of standard input with a number.
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
