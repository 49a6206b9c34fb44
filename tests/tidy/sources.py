"""Which files the project is made of: what git knows of, or would take in."""
import os
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(*endings, under=()):
    """Paths from the root of the repository, sorted."""
    listed = subprocess.run(["git", "-c", "safe.directory=*", "-C", ROOT, "ls-files", "--cached", "--others",
                             "--exclude-standard", "--", *under],
                            capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(path for path in set(listed)
                  if path.endswith(endings) and os.path.isfile(os.path.join(ROOT, path)))


def read(path):
    # Some data of the tests is no UTF-8, on purpose.
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()
