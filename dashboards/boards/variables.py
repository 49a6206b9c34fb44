"""The variables and annotations that the boards share."""
from . import promql as q
from .panels import ORANGE, annotation, variable


def job():
    return variable("job", "Job", "label_values(ecmp_exporter_build_info, job)")


def instance():
    return variable("instance", "Instance", 'label_values(ecmp_exporter_build_info{job=~"$job"}, instance)')


def destination(every=True):
    """Boards of one destination begin with the first: a thousand of them are no graph."""
    query = f"label_values(ecmp_destination_info{{{q.AGENT}}}, destination)"
    return variable("destination", "Destination", query, every)


def path():
    return variable("path", "Path", f"label_values(ecmp_path_flows{{{q.DESTINATION}}}, path)")


def hop():
    return variable("hop", "Hop", f"label_values(ecmp_path_hop_info{{{q.PATH}}}, hop)")


def path_changes():
    changes = q.increase("ecmp_flow_path_changes_total", q.DESTINATION, (*q.BY_DESTINATION, "kind"), q.STEP)
    return annotation("Path changes", f"{changes} > 0", "{{kind}}", "{{destination}} as {{instance}} sees it", ORANGE)
