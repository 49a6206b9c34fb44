"""What goes on beside a test."""
import contextlib
import threading


@contextlib.contextmanager
def beside(work):
    """Runs `work(done)` in a thread of its own; `done` is an event, which the end of the block sets and waits for."""
    done = threading.Event()
    thread = threading.Thread(target=work, args=[done])
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
