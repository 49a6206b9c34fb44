"""PromQL that several boards ask, in one way.

Every selector carries the job and the instance, so that agents can be told apart; loss always is the share of
*finished* probes that had no answer; quantiles come from native histograms where Prometheus has them, and from
classic buckets where it has not: the side that does not exist gives nothing, and `or` takes the other.
"""
AGENT = 'job=~"$job", instance=~"$instance"'
DESTINATION = f'{AGENT}, destination=~"$destination"'
PATH = f'{DESTINATION}, path=~"$path"'
HOP = f'{PATH}, hop=~"$hop"'

BY_DESTINATION = ("job", "instance", "destination")
BY_PATH = (*BY_DESTINATION, "path")
BY_HOP = (*BY_PATH, "ttl", "hop")
RESPONDER = ("job", "instance", "hop")

STEP = "$__rate_interval"
RANGE = "$__range"


def listed(labels):
    return ", ".join(labels)


def total(function, metric, where, by, window):
    """sum by (...) (rate(...)); without labels, over everything."""
    inner = f"{function}({metric}{{{where}}}[{window}])"
    return f"sum by ({listed(by)}) ({inner})" if by else f"sum({inner})"


def function_for(window):
    # Over the range of the board a whole number is asked for, along an axis of time a rate.
    return "increase" if window == RANGE else "rate"


def rate(metric, where, by, window=STEP):
    return total("rate", metric, where, by, window)


def increase(metric, where, by, window=RANGE):
    return total("increase", metric, where, by, window)


def loss(level, where, by, window=STEP):
    """Share of the end-to-end probes of a `flow` or `path` that the destination did not answer."""
    function = function_for(window)
    return (f"1 - {total(function, f'ecmp_{level}_replies_total', where, by, window)}"
            f" / {total(function, f'ecmp_{level}_probes_total', where, by, window)}")


def hop_share(what, where, by, window=STEP):
    """Share of the probes of hops that ended as `losses` or `silences`."""
    function = function_for(window)
    return (f"{total(function, f'ecmp_hop_{what}_total', where, by, window)}"
            f" / {total(function, 'ecmp_hop_probes_total', where, by, window)}")


def lost(where, by, window):
    function = function_for(window)
    return (f"({total(function, 'ecmp_path_probes_total', where, by, window)}"
            f" - {total(function, 'ecmp_path_replies_total', where, by, window)})")


def through(of_paths, where):
    """The sum, for each responder, of something that is known of the paths through it."""
    return (f"sum by ({listed(RESPONDER)}) (ecmp_path_hop_info{{{where}}}"
            f" * on ({listed(BY_PATH)}) group_left () ({of_paths}))")


def loss_through(where, window):
    """End-to-end loss of the paths through a responder. The loss of its own probes would hide light loss: they count as
    lost only when nothing beyond answered either, and so are silent where a later hop was luckier."""
    probes = total(function_for(window), "ecmp_path_probes_total", where, BY_PATH, window)
    return f"({through(lost(where, BY_PATH, window), where)} / {through(probes, where)} >= 0)"


def quantile(q, histogram, where, by, window=STEP):
    function = function_for(window)
    native = f"histogram_quantile({q}, {total(function, histogram, where, by, window)})"
    classic = f"histogram_quantile({q}, {total(function, histogram + '_bucket', where, (*by, 'le'), window)})"
    return f"{native} or {classic}"


def native_heatmap(histogram, where):
    return total("increase", histogram, where, (), STEP)


def classic_heatmap(histogram, where):
    return total("increase", f"{histogram}_bucket", where, ("le",), STEP)


def relabel(expression, new, old, pattern="(.*)", replacement="$1"):
    return f'label_replace({expression}, "{new}", "{replacement}", "{old}", "{pattern}")'


def named(expression, known):
    """Adds name, asn and mpls of responders. `known` has every responder, also one that there is no ecmp_hop_info
    of: it is only grouped, which costs less than to ask the expression twice."""
    names = f"ecmp_hop_info{{{AGENT}}} or on ({listed(RESPONDER)}) group by ({listed(RESPONDER)}) ({known})"
    return f"({expression}) * on ({listed(RESPONDER)}) group_left (name, asn, mpls) ({names})"
