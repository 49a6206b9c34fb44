#!/usr/bin/env python3
"""Counts what docs/ARCHITECTURE.md says of the size of the house: house.py [DIRECTORY of a clone]."""
import collections
import os
import re
import sys

SUBJECTS = "Hop|Path|Flow|Link|Round"


def sources(root):
    for directory, _, names in os.walk(os.path.join(root, "src")):
        for name in names:
            path = os.path.join(directory, name)
            with open(path, encoding="utf-8") as file:
                yield os.path.relpath(path, os.path.join(root, "src")), file.read()


def main():
    texts = dict(sources(sys.argv[1] if len(sys.argv) > 1 else "."))
    includers = collections.Counter(included for text in texts.values()
                                    for included in set(re.findall(r'#\s*include "([^"]+)"', text)))
    headers = [path for path in texts if path.endswith(".hpp")]
    # Its own .cpp is no includer that speaks for a header of its own.
    own = {path: int(f'#include "{path}"' in texts.get(path[:-3] + "cpp", "")) for path in headers}
    types = {name for text in texts.values()
             for name in re.findall(r"^\s*(?:struct|class) (\w+)[^;]*?\{", text, re.MULTILINE)}
    rows = {
        "files in src": len(texts),
        "lines in src": sum(text.count("\n") for text in texts.values()),
        "headers": len(headers),
        "headers with one includer besides their own .cpp": sum(includers[path] - own[path] == 1 for path in headers),
        "types named after a hop, path, flow, link or round": sum(bool(re.search(SUBJECTS, name)) for name in types),
        "of these, named so first": sum(bool(re.match(SUBJECTS, name)) for name in types),
    }
    for name, count in rows.items():
        print(f"{count:7} {name}")


if __name__ == "__main__":
    main()
