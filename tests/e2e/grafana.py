"""The dashboards as Grafana would read them: their panels, queries and variables, with the variables filled in."""
import collections
import glob
import json
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DASHBOARDS = os.path.join(ROOT, "dashboards", "grafana")
RULES = os.path.join(ROOT, "dashboards", "rules")

Query = collections.namedtuple("Query", "board panel ref expression legend format instant")
Query.__str__ = lambda self: f"{self.board} / {self.panel} / {self.ref}"


def boards():
    """{uid: dashboard}"""
    found = {}
    for path in sorted(glob.glob(os.path.join(DASHBOARDS, "*.json"))):
        with open(path, encoding="utf-8") as file:
            board = json.load(file)
        found[board["uid"]] = board
    return found


def panels(board):
    """All of them, those of collapsed rows too, without the rows."""
    for panel in board["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries():
    for uid, board in boards().items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield Query(uid, panel["title"], target["refId"], target["expr"], target["legendFormat"],
                            target["format"], target.get("instant", False))
        for annotation in board["annotations"]["list"]:
            if "expr" in annotation:
                yield Query(uid, "annotation", annotation["name"], annotation["expr"],
                            annotation["titleFormat"] + annotation["textFormat"], "time_series", False)


def fill_in(text, **values):
    """Replaces $name, ${name} and $__name as Grafana does, which leaves the $1 of label_replace; no other is left."""

    def value(match):
        return values[match.group(1)]

    return re.sub(r"\$\{?([A-Za-z_]\w*)\}?", value, text)


SELECTOR = re.compile(r"\b([a-z_][a-z0-9_:]*)\{")
FUNCTIONS_WITH_LABELS = r"\b(?:by|on|group_left|ignoring|without)\s*\(([^()]*)\)"


def metrics_of(expression):
    """{metric: labels that its selectors ask for}"""
    found = collections.defaultdict(set)
    for match in re.finditer(r"\b([a-z_][a-z0-9_:]*)\{([^}]*)\}", expression):
        found[match.group(1)] |= set(re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', match.group(2)))
    return found


def grouping_labels(expression):
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    return {
        label.strip()
        for group in re.findall(FUNCTIONS_WITH_LABELS, text)
        for label in group.split(",") if label.strip()
    }


def made_labels(expression):
    """Labels that label_replace and label_join make."""
    return set(re.findall(r'"([a-z_]+)", "(?:\$1|[a-z]*| > )", "', expression))
