# SPDX-License-Identifier: MIT
# Python's mmap objects, shared memory and threads; prints what it sees.
#	mappings.py PAGES
import errno, hashlib, mmap, multiprocessing, os, queue, signal, sys, threading
from multiprocessing import shared_memory

PAGES = int(sys.argv[1])
SIZE = PAGES * mmap.PAGESIZE


def say(name, *values):
    print(name + ":", *values, flush=True)


def pattern(size, seed=1):
    """Bytes that differ from page to page, the same in every run."""
    block = b"".join(hashlib.sha256(b"%d %d" % (seed, i)).digest() for i in range(128))
    return b"".join(b"%08d" % i + block[8:4096] for i in range(size // 4096))


def digest(data):
    return hashlib.sha256(data).hexdigest()[:16]


def tried(function, *arguments):
    """What came of a call; the words of an error are of Python's release."""
    try:
        return repr(function(*arguments))
    except Exception as error:
        number = getattr(error, "errno", None)
        return type(error).__name__ + (" " + errno.errorcode[number] if number else "")


def anonymous():
    with mmap.mmap(-1, SIZE) as m:
        say("anonymous", digest(m[:]), m[0], m[SIZE - 1])
        m[:] = pattern(SIZE)
        say("anonymous, filled", digest(m[:]), m.find(b"%08d" % (PAGES - 1)), m.rfind(b"%08d" % 1))
        m.move(0, SIZE // 2, SIZE // 2)
        say("anonymous, moved", digest(m[:]))
        m.madvise(mmap.MADV_DONTNEED, SIZE // 2, mmap.PAGESIZE)
        say("anonymous and shared, not needed", digest(m[:]))
    private = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    private[:] = pattern(SIZE)
    private.madvise(mmap.MADV_DONTNEED, 0, mmap.PAGESIZE)
    say("anonymous and private, not needed", digest(private[:]), private[0])
    say("closed", tried(private.close), tried(private.read, 1))


def files():
    with open("file", "w+b") as f:
        f.write(pattern(SIZE))
        f.flush()
        shared = mmap.mmap(f.fileno(), 0)
        copy = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_COPY)
        reader = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        shared[100:106] = b"SHARED"
        copy[200:204] = b"COPY"
        say("file, seen by the three", shared[100:106], copy[100:106], reader[100:106])
        say("copy stays private", copy[200:204], shared[200:204] == reader[200:204] != b"COPY")
        say("reader cannot write", tried(reader.__setitem__, 0, 1))
        os.pwrite(f.fileno(), b"WRITTEN", 3 * mmap.PAGESIZE)
        say("write(2) shows in all", *(m[3 * 4096 : 3 * 4096 + 7] for m in (shared, copy, reader)))
        say("flush", tried(shared.flush), tried(shared.flush, 0, 4096), tried(shared.flush, 1, 4096))
        say("read(2) sees it", os.pread(f.fileno(), 6, 100))
        shared.seek(SIZE - 10)
        say("at the end", digest(shared.read(100)), shared.tell(), tried(shared.read_byte))
        say("find", shared.find(b"SHARED", 0), shared.find(b"SHARED", 101), copy.find(b"COPY", 0, 203),
            copy.find(b"COPY", 0), reader.rfind(b"WRITTEN"))
        say("copy does not resize", tried(copy.resize, SIZE // 2))
        copy.close()
        reader.close()
        shared.resize(2 * SIZE)
        say("resized", len(shared), os.fstat(f.fileno()).st_size, digest(shared[SIZE:]))
        shared[SIZE:] = pattern(SIZE, 2)
        shared.resize(SIZE + SIZE // 2)
        say("smaller", len(shared), os.fstat(f.fileno()).st_size, digest(shared[:]))
        shared.close()
        beyond = tried(mmap.mmap, f.fileno(), 4 * SIZE)
        say("longer than the file", beyond)
        part = mmap.mmap(f.fileno(), 4096, offset=mmap.ALLOCATIONGRANULARITY * 2)
        say("part", digest(part[:]), tried(mmap.mmap, f.fileno(), 4096, mmap.MAP_SHARED, mmap.PROT_READ, None, 100))
        part.close()
    with open("file", "rb") as f:
        say("no shared mapping to write of what is open to read", tried(mmap.mmap, f.fileno(), 0))
        say("file at last", digest(f.read()))


def sigbus():
    """A child maps a file that is then cut short, and looks behind its end."""
    with open("short", "w+b") as f:
        f.write(pattern(4 * 4096))
        f.flush()
        m = mmap.mmap(f.fileno(), 0)
        os.ftruncate(f.fileno(), 4096 + 100)
        say("tail of the last page", m[4096 + 100 : 2 * 4096] == bytes(4096 - 100))
        child = os.fork()
        if not child:
            m[2 * 4096]
            os._exit(0)
        say("behind the end", signal.Signals(-os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])).name)


def across_fork():
    shared = mmap.mmap(-1, SIZE)
    private = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    shared[:] = private[:] = pattern(SIZE)
    children = []
    for number in range(4):
        child = os.fork()
        if not child:
            for page in range(number, PAGES, 4):
                shared[page * 4096 : page * 4096 + 8] = b"child %02d" % number
                private[page * 4096 : page * 4096 + 8] = b"child %02d" % number
            ok = all(private[p * 4096 : p * 4096 + 8] == (b"child %02d" % number if p % 4 == number else b"%08d" % p)
                     for p in range(PAGES))
            os._exit(0 if ok else 1)
        children.append(child)
    say("children", *(os.waitstatus_to_exitcode(os.waitpid(c, 0)[1]) for c in children))
    say("shared with children", digest(shared[:]), shared[:8], shared[3 * 4096 : 3 * 4096 + 8])
    say("private of the parent", private[:] == pattern(SIZE))


def fill(name, number, parts):
    memory = shared_memory.SharedMemory(name)
    size = memory.size // parts
    memory.buf[number * size : (number + 1) * size] = bytes([number + 1]) * size
    memory.close()


def count(counter, lock, times):
    for _ in range(times):
        with lock:
            counter.value += 1


def processes():
    memory = shared_memory.SharedMemory("mmkit-test", create=True, size=SIZE)
    say("shared memory", os.path.getsize("/dev/shm/mmkit-test"), digest(memory.buf))
    say("twice", tried(shared_memory.SharedMemory, "mmkit-test", True, SIZE))
    workers = [multiprocessing.Process(target=fill, args=(memory.name, i, 4)) for i in range(4)]
    counter = multiprocessing.Value("i", 0)
    lock = multiprocessing.Lock()
    workers += [multiprocessing.Process(target=count, args=(counter, lock, 200)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    say("processes", *(w.exitcode for w in workers))
    say("shared memory, filled", digest(memory.buf), counter.value)
    memory.close()
    memory.unlink()
    say("gone", tried(shared_memory.SharedMemory, "mmkit-test"))
    pieces = shared_memory.ShareableList(["text", 42, 3.5, None])
    again = shared_memory.ShareableList(name=pieces.shm.name)
    again[1] = 43
    say("list", *pieces)
    again.shm.close()
    pieces.shm.close()
    pieces.shm.unlink()
    with multiprocessing.Pool(3) as pool:
        say("pool", sum(pool.map(abs, range(-100, 100))))


def threads():
    m = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    results = queue.Queue()

    def work(number):
        for turn in range(10):
            for page in range(number, PAGES, 8):
                m[page * 4096] = (number + turn) % 256
            own = mmap.mmap(-1, 16 * 4096)
            own[:] = bytes([number]) * len(own)
            results.put(own[number * 4096] == number)
            own.close()

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    say("threads", digest(m[:]), results.qsize(), all(results.get() for _ in range(80)))


if __name__ == "__main__":
    for part in (anonymous, files, sigbus, across_fork, processes, threads):
        print("--", part.__name__, flush=True)
        part()
