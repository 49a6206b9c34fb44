#!/usr/bin/python3
"""Writes the Grafana dashboards beside this file, from boards/.

  dashboards/generate.py            writes them
  dashboards/generate.py --check    says which are not what would be written, and exits 1 if any is
"""
import json
import os
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from boards import agent, destination, overview, path_and_hop  # noqa: E402

BOARDS = (overview, destination, path_and_hop, agent)


def dashboards():
    """{path: text}"""
    made = [module.make() for module in BOARDS]
    return {
        os.path.join(HERE, "grafana", board["uid"] + ".json"): json.dumps(board, indent=1, ensure_ascii=False) + "\n"
        for board in made
    }


def stale(wanted):
    found = {}
    for path in wanted:
        try:
            with open(path, encoding="utf-8") as file:
                found[path] = file.read()
        except FileNotFoundError:
            pass
    directory = os.path.join(HERE, "grafana")
    there = {os.path.join(directory, name) for name in os.listdir(directory)} if os.path.isdir(directory) else set()
    return sorted({path for path, text in wanted.items() if found.get(path) != text} | there - set(wanted))


def main(arguments):
    wanted = dashboards()
    if arguments == ["--check"]:
        wrong = stale(wanted)
        for path in wrong:
            print(f"{os.path.relpath(path)} is not what dashboards/generate.py writes")
        return 1 if wrong else 0
    if arguments:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    os.makedirs(os.path.join(HERE, "grafana"), exist_ok=True)
    for path, text in wanted.items():
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
