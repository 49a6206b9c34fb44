"""What boards are made of: variables, queries, panels, and rows that lay them out on Grafana's grid of 24 columns."""
import colorsys

GRID = 24
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "#8e8e8e"

# One scheme for all boards: (from, colour).
LOSS_STEPS = ((None, GREEN), (0.001, YELLOW), (0.01, ORANGE), (0.05, RED))
SILENCE_STEPS = ((None, "#5a6f8f"), (0.5, BLUE))
GOOD_IF_ZERO = ((None, GREEN), (0.000001, ORANGE))
BAD_IF_ZERO = ((None, RED), (1, GREEN))
PLAIN = ((None, BLUE),)
LAG_STEPS = ((None, GREEN), (0.01, YELLOW), (0.1, ORANGE), (1, RED))

UP = [{"type": "value", "options": {"0": {"text": "down", "color": RED, "index": 0},
                                    "1": {"text": "up", "color": GREEN, "index": 1}}}]
RELOADED = [{"type": "value", "options": {"0": {"text": "failed", "color": RED, "index": 0},
                                          "1": {"text": "successful", "color": GREEN, "index": 1}}}]
ORDINALS = 32


def ordinal_mappings():
    """A colour for each of the first paths of a destination; neighbours in number are far apart in hue."""
    options = {"0": {"text": "no path", "color": "#4a4a4a", "index": 0}}
    for number in range(1, ORDINALS + 1):
        red, green, blue = colorsys.hls_to_rgb((number * 0.381966) % 1, 0.55 if number % 2 else 0.42, 0.6)
        color = f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
        options[str(number)] = {"text": f"path {number}", "color": color, "index": number}
    return [{"type": "value", "options": options}]


def thresholds(steps):
    return {"mode": "absolute", "steps": [{"color": color, "value": start} for start, color in steps]}


# --- queries ----------------------------------------------------------------------------------------------------------


def series(expression, legend, ref="A"):
    return {"datasource": DATASOURCE, "editorMode": "code", "expr": expression, "format": "time_series",
            "legendFormat": legend, "range": True, "refId": ref}


def instant(expression, ref="A"):
    return {"datasource": DATASOURCE, "editorMode": "code", "exemplar": False, "expr": expression, "format": "table",
            "instant": True, "legendFormat": "__auto", "range": False, "refId": ref}


def value_now(expression, legend="__auto", ref="A"):
    return {"datasource": DATASOURCE, "editorMode": "code", "exemplar": False, "expr": expression,
            "format": "time_series", "instant": True, "legendFormat": legend, "range": False, "refId": ref}


def heat(expression, ref="A"):
    return {"datasource": DATASOURCE, "editorMode": "code", "expr": expression, "format": "heatmap",
            "legendFormat": "{{le}}", "range": True, "refId": ref}


# --- overrides --------------------------------------------------------------------------------------------------------


def override(name, matcher="byName", **properties):
    """override("Loss", unit="percentunit"); "__" in a name stands for a point, custom__width -> custom.width."""
    return {"matcher": {"id": matcher, "options": name},
            "properties": [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]}


def loss_column(name, steps=LOSS_STEPS, width=110):
    return override(name, unit="percentunit", decimals=2, thresholds=thresholds(steps), color={"mode": "thresholds"},
                    custom__cellOptions={"type": "color-background", "mode": "gradient"}, custom__width=width)


def seconds_column(name, width=100):
    return override(name, unit="s", decimals=2, custom__width=width)


def number_column(name, width=90):
    return override(name, unit="none", decimals=0, custom__width=width)


def trend_column(name, unit, color, width=170):
    return override(name, unit=unit, decimals=2, color={"mode": "fixed", "fixedColor": color}, custom__width=width,
                    custom__cellOptions={"type": "sparkline", "hideValue": True, "drawStyle": "line", "fillOpacity": 20,
                                         "lineWidth": 1, "showPoints": "never"})


def link_to(uid, title, *variables):
    """A link of a cell to another board, with variables (name, column) taken from the row."""
    values = "".join(f'&var-{name}=${{__data.fields["{column}"]}}' for name, column in variables)
    return [{"title": title, "url": f"/d/{uid}?${{datasource:queryparam}}{values}&${{__url_time_range}}"}]


# --- panels -----------------------------------------------------------------------------------------------------------


def panel(kind, title, description, targets, width, height, defaults, options, overrides=(), transformations=()):
    made = {"type": kind, "title": title, "description": description, "datasource": DATASOURCE, "targets": targets,
            "gridPos": {"w": width, "h": height}, "fieldConfig": {"defaults": defaults, "overrides": list(overrides)},
            "options": options}
    if transformations:
        made["transformations"] = list(transformations)
    return made


def stat(title, description, target, unit, steps, width=4, height=4, decimals=None, mappings=(), color_mode="value",
         graph=False):
    defaults = {"unit": unit, "color": {"mode": "thresholds"}, "thresholds": thresholds(steps),
                "mappings": list(mappings)}
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {"colorMode": color_mode, "graphMode": "area" if graph else "none", "justifyMode": "auto",
               "orientation": "auto", "percentChangeColorMode": "standard",
               "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "showPercentChange": False,
               "textMode": "auto", "wideLayout": True}
    return panel("stat", title, description, [target], width, height, defaults, options)


def graph(title, description, targets, unit, width=12, height=8, steps=None, color=None, fill=0, stack=False,
          bars=False, stepped=False, maximum=None, minimum=0, decimals=None, overrides=(), right=False):
    custom = {"drawStyle": "bars" if bars else "line", "lineWidth": 1, "fillOpacity": 60 if bars else fill,
              "gradientMode": "none", "showPoints": "never", "pointSize": 4, "spanNulls": False,
              "lineInterpolation": "stepAfter" if stepped else "linear", "axisPlacement": "auto", "axisLabel": "",
              "barAlignment": 0, "scaleDistribution": {"type": "linear"},
              "stacking": {"mode": "normal" if stack else "none", "group": "A"},
              "thresholdsStyle": {"mode": "dashed" if steps else "off"}, "axisSoftMin": 0}
    defaults = {"unit": unit, "color": color or {"mode": "palette-classic"}, "custom": custom,
                "thresholds": thresholds(steps or ((None, GREEN),))}
    if minimum is not None:
        defaults["min"] = minimum
    if maximum is not None:
        custom["axisSoftMax"] = maximum
    if decimals is not None:
        defaults["decimals"] = decimals
    options = {"legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table",
                          "placement": "right" if right else "bottom", "showLegend": True, "sortBy": "Max",
                          "sortDesc": True},
               "tooltip": {"mode": "multi", "sort": "desc"}}
    return panel("timeseries", title, description, targets, width, height, defaults, options, overrides)


def timeline(title, description, target, mappings, width=24, height=8):
    defaults = {"unit": "none", "color": {"mode": "thresholds"}, "mappings": mappings,
                "thresholds": thresholds(((None, GREY),)), "custom": {"fillOpacity": 85, "lineWidth": 0}}
    options = {"mergeValues": True, "showValue": "never", "alignValue": "left", "rowHeight": 0.85,
               "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
               "tooltip": {"mode": "single", "sort": "none"}, "perPage": 24}
    return panel("state-timeline", title, description, [target], width, height, defaults, options)


def heatmap(title, description, target, unit, width=12, height=9, scheme="Turbo"):
    defaults = {"custom": {"scaleDistribution": {"type": "linear"},
                           "hideFrom": {"legend": False, "tooltip": False, "viz": False}}}
    options = {"calculate": False, "cellGap": 1, "cellValues": {"unit": "short", "decimals": 0},
               "color": {"mode": "scheme", "scheme": scheme, "fill": "dark-orange", "scale": "exponential",
                         "exponent": 0.5, "steps": 64, "reverse": False},
               "exemplars": {"color": "rgba(255,0,255,0.7)"}, "filterValues": {"le": 1e-9},
               "legend": {"show": True}, "rowsFrame": {"layout": "auto"}, "showValue": "never",
               "tooltip": {"mode": "single", "yHistogram": True, "showColorScale": False},
               "yAxis": {"axisPlacement": "left", "unit": unit, "reverse": False}}
    return panel("heatmap", title, description, [target], width, height, defaults, options)


def table(title, description, targets, columns, hidden, width=24, height=9, overrides=(), sort=(), trends=(),
          numbers=()):
    """`columns`: {field: shown name}, in their order; `trends`: refIds of range queries that become sparklines;
    `numbers`: labels that sort as numbers."""
    transformations = []
    if trends:
        transformations.append({"id": "timeSeriesTable",
                                "options": {ref: {"timeField": "Time", "stat": "lastNotNull"} for ref in trends}})
    if len(targets) > 1:
        transformations.append({"id": "merge", "options": {}})
    if numbers:
        transformations.append({"id": "convertFieldType", "options": {
            "conversions": [{"targetField": label, "destinationType": "number"} for label in numbers], "fields": {}}})
    transformations.append({"id": "organize", "options": {
        "excludeByName": {name: True for name in ("Time", *hidden)}, "includeByName": {},
        "indexByName": {field: index for index, field in enumerate(columns)},
        "renameByName": {field: name for field, name in columns.items() if field != name}}})
    defaults = {"unit": "short", "color": {"mode": "thresholds"}, "thresholds": thresholds(PLAIN), "noValue": "",
                "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False}}
    options = {"cellHeight": "sm", "showHeader": True,
               "sortBy": [{"displayName": name, "desc": desc} for name, desc in sort],
               "footer": {"show": False, "reducer": ["sum"], "countRows": False, "fields": [],
                          "enablePagination": False}}
    return panel("table", title, description, targets, width, height, defaults, options, overrides, transformations)


# --- the board --------------------------------------------------------------------------------------------------------


def variable(name, label, query, every=True):
    made = {"name": name, "label": label, "type": "query", "datasource": DATASOURCE, "definition": query,
            "query": {"query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery", "qryType": 1},
            "refresh": 2, "regex": "", "sort": 1, "hide": 0, "skipUrlSync": False, "options": [],
            "multi": True, "includeAll": every}
    if every:
        made["allValue"] = ".+"
        made["current"] = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return made


def datasource_variable():
    return {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
            "regex": "", "hide": 0, "skipUrlSync": False, "options": [], "multi": False, "includeAll": False}


def annotation(name, expression, title, text, color):
    return {"name": name, "datasource": DATASOURCE, "enable": True, "hide": False, "iconColor": color,
            "expr": expression, "titleFormat": title, "textFormat": text, "tagKeys": "job,instance", "step": "30s",
            "useValueForTime": False}


BUILT_IN_ANNOTATIONS = {"name": "Annotations & Alerts", "builtIn": 1, "type": "dashboard", "enable": True, "hide": True,
                        "datasource": {"type": "grafana", "uid": "-- Grafana --"}, "iconColor": "rgba(0, 211, 255, 1)"}


def lay_out(panels, top):
    """Puts panels from left to right, a new line where the next does not fit; returns the first free line."""
    left, height = 0, 0
    for one in panels:
        position = one["gridPos"]
        if left + position["w"] > GRID:
            top, left, height = top + height, 0, 0
        position.update(x=left, y=top)
        left, height = left + position["w"], max(height, position["h"])
    return top + height


def board(uid, title, description, tags, variables, rows, annotations=(), time="now-1h"):
    """`rows`: [(title, collapsed, [panel])]"""
    laid, top = [], 0
    for name, collapsed, panels in rows:
        row = {"type": "row", "title": name, "collapsed": collapsed, "panels": [],
               "gridPos": {"x": 0, "y": top, "w": GRID, "h": 1}}
        bottom = lay_out(panels, top + 1)
        laid.append(row)
        if collapsed:
            row["panels"] = panels
            top += 1
        else:
            laid += panels
            top = bottom
    number = 0
    for one in laid:
        for each in (one, *one.get("panels", ())):
            number += 1
            each["id"] = number
    links = [{"type": "dashboards", "tags": ["ecmp"], "title": "ECMP", "asDropdown": False, "includeVars": True,
              "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": ""}]
    return {"uid": uid, "title": title, "description": description, "tags": ["ecmp", *tags], "schemaVersion": 39,
            "version": 1, "editable": False, "graphTooltip": 1, "fiscalYearStartMonth": 0, "timezone": "browser",
            "refresh": "30s", "time": {"from": time, "to": "now"}, "timepicker": {}, "weekStart": "", "links": links,
            "templating": {"list": [datasource_variable(), *variables]},
            "annotations": {"list": [BUILT_IN_ANNOTATIONS, *annotations]}, "panels": laid}
