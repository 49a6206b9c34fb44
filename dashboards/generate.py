#!/usr/bin/python3
"""Writes the Grafana dashboards and the rules beside this file, from the jsonnet mixin in mixin/. Needs jsonnet.

  dashboards/generate.py            writes them
  dashboards/generate.py --check    says which are not what would be written, and exits 1 if any is
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MADE = "# Made from dashboards/mixin by dashboards/generate.py: edit there, not here.\n"
HEADERS = {"alerts": "# Alerts of ecmp_exporter, over the recording rules beside this file. What to do about each: docs/runbook.md.\n",
           "recording": "# Recording rules of ecmp_exporter: what dashboards and alerts ask again and again, computed once.\n"}
ALL = """local mixin = import 'mixin.libsonnet';
{ boards: mixin.grafanaDashboards, alerts: mixin.prometheusAlerts, recording: mixin.prometheusRules }"""
WIDTH = 120


def evaluated(code, *arguments):
    """What jsonnet makes of the code, within mixin/."""
    done = subprocess.run(["jsonnet", "-J", os.path.join(HERE, "mixin"), *arguments, "-e", code], capture_output=True,
                          text=True)
    if done.returncode != 0:
        sys.exit(f"{os.path.basename(__file__)}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def folded(text, indent):
    """The lines of a folded block: a single end of line in it is a space."""
    line = ""
    # What stands in braces stays on one line: a template of Prometheus.
    for word in re.findall(r"(?:\{\{.*?\}\}|\S)+", text):
        if line and indent + len(line) + 1 + len(word) > WIDTH:
            yield " " * indent + line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield " " * indent + line


def scalar(value, indent):
    if not isinstance(value, str):
        return f" {json.dumps(value)}"
    if "\n" in value:
        lines = (" " * indent + line if line else "" for line in value.rstrip("\n").split("\n"))
        return (" |\n" if value.endswith("\n") else " |-\n") + "\n".join(lines)
    if indent + len(value) > WIDTH - 20 and "  " not in value and not value.startswith(" "):
        return " >-\n" + "\n".join(folded(value, indent))
    plain = re.fullmatch(r"[A-Za-z][^\n]*|\d+[smhd]", value) and not re.search(r": | #|:$", value)
    if plain and value.lower() not in ("yes", "no", "on", "off", "true", "false", "null", "y", "n"):
        return f" {value}"
    return f" {json.dumps(value, ensure_ascii=False)}"


def yaml_lines(value, indent=0):
    """YAML as people write it: blocks for expressions and long texts. Of what rule files have: no empty collections."""
    if isinstance(value, list):
        for item in value:
            lines = list(yaml_lines(item, indent + 2))
            yield " " * indent + "- " + lines[0].lstrip()
            yield from lines[1:]
        return
    for key, inner in value.items():
        if isinstance(inner, (dict, list)):
            yield " " * indent + f"{key}:"
            yield from yaml_lines(inner, indent + 2)
        else:
            yield " " * indent + f"{key}:" + scalar(inner, indent + 2)


def in_order(rules):
    """The members as people expect them; jsonnet sorts them by name."""
    order = ("name", "interval", "record", "alert", "expr", "for", "keep_firing_for", "labels", "annotations", "rules",
             "severity", "summary", "description", "runbook_url")
    if isinstance(rules, list):
        return [in_order(one) for one in rules]
    if isinstance(rules, dict):
        keys = sorted(rules, key=lambda key: (order.index(key) if key in order else len(order), key))
        return {key: in_order(rules[key]) for key in keys}
    return rules


def rule_file(rules, header=""):
    """The text of a rule file, from what `prometheusAlerts` or `prometheusRules` of the mixin is."""
    text = header + "\n".join(yaml_lines(in_order(rules))) + "\n"
    return re.sub(r"\n( +- (?:alert|record|name): )", r"\n\n\1", text).replace("rules:\n\n", "rules:\n").replace(
        "groups:\n\n", "groups:\n")


def files():
    """{path: text}"""
    made = evaluated(ALL)
    wanted = {
        os.path.join(HERE, "grafana", name): json.dumps(board, indent=1, ensure_ascii=False) + "\n"
        for name, board in made["boards"].items()
    }
    for name, header in HEADERS.items():
        wanted[os.path.join(HERE, "rules", name + ".yml")] = rule_file(made[name], header + MADE)
    return wanted


def stale(wanted):
    found = {}
    for path in wanted:
        try:
            with open(path, encoding="utf-8") as file:
                found[path] = file.read()
        except FileNotFoundError:
            pass
    there = set()
    for name, ending in (("grafana", ".json"), ("rules", ".yml")):
        directory = os.path.join(HERE, name)
        if os.path.isdir(directory):
            there |= {os.path.join(directory, one) for one in os.listdir(directory) if one.endswith(ending)}
    return sorted({path for path, text in wanted.items() if found.get(path) != text} | there - set(wanted))


def main(arguments):
    if arguments not in ([], ["--check"]):
        print(__doc__.strip(), file=sys.stderr)
        return 2
    wanted = files()
    if arguments:
        wrong = stale(wanted)
        for path in wrong:
            print(f"{os.path.relpath(path)} is not what dashboards/generate.py writes")
        return 1 if wrong else 0
    for path, text in wanted.items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
