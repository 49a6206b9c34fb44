"""What the exporter says when a branch loses, a router keeps quiet, a path changes: the fault, and nothing else."""
import contextlib

import pytest

from exporter import Exporter, config, eventually, now
from lab import AGENT_SECOND, DESTINATION, Fan

FLOWS = 24
PORTS = range(50000, 50000 + FLOWS)
CONFIRM_ROUNDS = 2
NAMES = {4: "four", 6: "six"}


class Scene:
    """A fan of four, an exporter beside it that has seen every flow reach its destination."""

    def __init__(self, fan, exporter):
        self.fan, self.exporter = fan, exporter

    def expected(self, family, **options):
        return {port: tuple(path)
                for port, path in self.fan.expected_paths(DESTINATION[family], PORTS, **options).items()}

    def flows_over(self, node, family):
        return {port for port, path in self.expected(family).items() if self.fan.addresses[node][family] in path}

    def told(self, family):
        """{source port: addresses of its path}"""
        metrics = self.exporter.metrics()
        paths = metrics.paths(NAMES[family])
        return {port: paths.get(path) for port, path in metrics.flow_paths(NAMES[family]).items()}

    def await_paths(self, seconds=15, **options):
        """Every flow is told on the path that the routers say now."""
        for family in NAMES:
            wanted = self.expected(family, **options)
            eventually(lambda: self.told(family) == wanted, seconds,
                       lambda: f"{NAMES[family]} is told on {self.told(family)}, should be on {wanted}")

    def await_rounds(self, rounds, seconds=30):
        """So many rounds of every flow, all begun after this call."""
        since = now()

        def enough():
            return all(len(lines) >= rounds for lines in self.since(since).values())
        eventually(enough, seconds, lambda: f"{rounds} rounds of each flow: {[len(x) for x in self.since(since).values()]}")
        return self.since(since)

    def since(self, moment):
        """{(family, source port): rounds begun since a moment}"""
        rounds = {(family, port): [] for family in NAMES for port in PORTS}
        families = {name: family for family, name in NAMES.items()}
        for line in self.exporter.paths(since=moment):
            rounds[families[line["destination"]], line["source_port"]].append(line)
        return rounds


@contextlib.contextmanager
def scene(**fan_options):
    with Fan(width=4, **fan_options) as fan:
        destinations = [{"name": name, "host": DESTINATION[family], "flows": FLOWS, "source_port": PORTS[0],
                         "confirm_rounds": CONFIRM_ROUNDS} for family, name in NAMES.items()]
        with Exporter(config(destinations), fan.network.ns("agent")) as exporter:
            made = Scene(fan, exporter)
            made.await_paths()
            yield made


def losses(metrics):
    """{(destination, path, ttl, hop): losses}, without those that have none."""
    found = metrics.values("ecmp_hop_losses_total", ("destination", "path", "ttl", "hop"))
    return {key: value for key, value in found.items() if value}


def changes(metrics):
    found = metrics.values("ecmp_flow_path_changes_total", ("destination", "flow"))
    return {(destination, int(flow)): value for (destination, flow), value in found.items() if value}


def flow_losses(metrics):
    probes = metrics.values("ecmp_flow_probes_total", ("destination", "flow"))
    replies = metrics.values("ecmp_flow_replies_total", ("destination", "flow"))
    return {(destination, int(flow)): count - replies[destination, flow]
            for (destination, flow), count in probes.items() if count != replies[destination, flow]}


def test_forwarding_loss_on_one_branch_is_seen_on_its_path_only():
    with scene() as s:
        branch = s.fan.branch(2)
        hurt = {(NAMES[family], port) for family in NAMES for port in s.flows_over(branch, family)}
        hurt_paths = {s.exporter.metrics().flow_paths(name)[port] for name, port in hurt}
        before = s.exporter.metrics()
        s.fan.lose(branch, 0.1)

        def finished(metrics):
            counts = metrics.values("ecmp_path_probes_total", "path")
            return sum(counts.get(path, 0) for path in hurt_paths)
        eventually(lambda: finished(s.exporter.metrics()) - finished(before) >= 300, 60, "300 probes over the branch")
        after = s.exporter.metrics()

        lost = flow_losses(after)
        assert lost and set(lost) <= hurt
        # 300 draws with p = 0.1: outside of this once in 10,000 runs.
        ratio = sum(lost.values()) / (finished(after) - finished(before))
        assert 0.04 < ratio < 0.18, f"{ratio} lost"
        path_probes = after.values("ecmp_path_probes_total", "path")
        path_replies = after.values("ecmp_path_replies_total", "path")
        assert {path for path, count in path_probes.items() if count != path_replies[path]} <= hurt_paths
        # The branch itself and what is before it answer; loss begins behind it.
        assert losses(after) and {path for _, path, _, _ in losses(after)} <= hurt_paths
        assert all(int(ttl) > 2 for _, _, ttl, _ in losses(after))
        assert not changes(after)


@pytest.mark.parametrize("quiet", ["limit", "some"])
def test_a_router_that_answers_little_is_silent_and_not_lossy(quiet):
    with scene() as s:
        branch = s.fan.branch(1)
        if quiet == "limit":
            s.fan.limit_answers(branch, 5, burst=2)
        else:
            s.fan.lose_answers(branch, 0.3)
        s.await_rounds(8)
        after = s.exporter.metrics()
        silent = {hop for (hop,), count in after.values("ecmp_hop_silences_total", ("hop",)).items() if count}
        assert silent == {s.fan.addresses[branch][family] for family in NAMES if s.flows_over(branch, family)}
        assert not losses(after) and not flow_losses(after) and not changes(after)


def test_the_kernels_default_icmp_limits_cause_no_changes():
    # One ICMP error a second to each host: most probes of a round stay unanswered, the destination's too.
    with Fan(width=4, icmp="kernel") as fan:
        destination = {"name": "four", "host": DESTINATION[4], "flows": 5}
        with Exporter(config([destination]), fan.network.ns("agent")) as exporter:
            eventually(lambda: min(exporter.metrics().values("ecmp_flow_probes_total", "flow").values(), default=0) >= 10,
                       30, "10 rounds of each flow")
            assert not changes(exporter.metrics())


def test_exactly_the_flows_of_a_changed_branch_report_it_within_the_confirming_rounds():
    with scene() as s:
        branch = s.fan.branch(3)
        hurt = {(family, port) for family in NAMES for port in s.flows_over(branch, family)}
        assert hurt and len(hurt) < FLOWS * len(NAMES)
        # A responder is new, and not just unknown as yet, to who has looked for 5 s and some rounds: it takes that long
        # until a change can be told as a reroute.
        s.await_rounds(14)
        before = now()
        s.fan.replace_branch(3)
        after = now()  # rounds that begin from here on see the new path only
        s.await_paths()
        s.await_rounds(CONFIRM_ROUNDS + 1)

        changed = {}
        for key, lines in s.since("1m").items():
            for line in lines:
                if line["changed"]:
                    assert key not in changed, f"{key} reports more than one change"
                    changed[key] = line
        assert set(changed) == hurt
        assert {line["changed"] for line in changed.values()} == {"reroute"}
        assert all(line["timestamp"] >= before[:19] for line in changed.values())
        for key in hurt:
            since = s.since(after)[key]
            late = [number for number, line in enumerate(since) if line["changed"] and number >= CONFIRM_ROUNDS]
            assert not late, f"{key} reports its change in round {late[0] + 1} after it"
        metrics = s.exporter.metrics()
        assert changes(metrics) == {(NAMES[family], port): 1 for family, port in hurt}
        assert not losses(metrics) and not flow_losses(metrics)


@pytest.mark.parametrize("grow,shrink", [("grow", "shrink"), ("lengthen_branch", "shorten_branch")])
def test_growing_and_shrinking_by_a_hop_is_no_loss(grow, shrink):
    with scene() as s:
        for change in (grow, shrink, grow):
            getattr(s.fan, change)()
            s.await_paths()
            s.await_rounds(2)
            metrics = s.exporter.metrics()
            assert not flow_losses(metrics) and not losses(metrics), f"after {change}"


def test_a_refusal_is_told_with_its_sender_and_is_not_the_destination():
    with scene() as s:
        branch = s.fan.branch(1)
        hurt = {(family, port) for family in NAMES for port in s.flows_over(branch, family)}
        s.fan.reject(branch)
        s.await_rounds(2)
        for (family, port), lines in s.await_rounds(1).items():
            if (family, port) in hurt:
                assert lines[-1]["reached_dest"] is False and lines[-1]["loss"] is True
                refusals = [hop for hop in lines[-1]["hops"] if hop["reply"] == "admin_prohibited"]
                assert refusals and {hop["ip"] for hop in refusals} == {s.fan.addresses[branch][family]}
            else:
                assert lines[-1]["reached_dest"] is True
        metrics = s.exporter.metrics()
        assert set(metrics.values("ecmp_destination_up", "destination").values()) == {1}
        assert set(flow_losses(metrics)) == {(NAMES[family], port) for family, port in hurt}
        s.fan.heal(branch)
        s.await_rounds(2)
        assert all(lines[-1]["reached_dest"] for lines in s.await_rounds(1).values())


def test_a_black_hole_is_loss_of_its_flows_and_no_change():
    with scene() as s:
        branch = s.fan.branch(4)
        hurt = {(family, port) for family in NAMES for port in s.flows_over(branch, family)}
        s.fan.black_hole(branch)
        s.await_rounds(1)
        for key, lines in s.await_rounds(2).items():
            assert lines[-1]["reached_dest"] is (key not in hurt)
            if key in hurt:
                assert [hop["timeout"] for hop in lines[-1]["hops"]][:2] == [False, False]
                assert lines[-1]["hops"][-1]["timeout"] and not lines[-1]["hops"][-1]["silent"]
        s.fan.heal(branch)
        s.await_rounds(1)
        assert all(lines[-1]["reached_dest"] for lines in s.await_rounds(1).values())
        assert not changes(s.exporter.metrics())


def test_a_destination_behind_no_branch_at_all_is_down_and_comes_back():
    with scene() as s:
        for branch in s.fan.branches[1]:
            s.fan.black_hole(branch)
        eventually(lambda: set(s.exporter.metrics().values("ecmp_destination_up", "destination").values()) == {0}, 15,
                   "both destinations down")
        for branch in s.fan.branches[1]:
            s.fan.heal(branch)
        eventually(lambda: set(s.exporter.metrics().values("ecmp_destination_up", "destination").values()) == {1}, 15,
                   "both destinations up")


def test_a_flap_of_the_agents_link_is_survived():
    with scene() as s:
        s.fan.uplink_down()
        eventually(lambda: sum(s.exporter.metrics().values("ecmp_exporter_send_errors_total", "reason").values()) > 0,
                   15, "send errors counted")
        s.fan.uplink_up()
        def all_reached():
            lines = s.exporter.paths()
            return len(lines) == FLOWS * len(NAMES) and all(line["reached_dest"] for line in lines)
        eventually(all_reached, 20, "every flow reaches its destination again")
        s.await_paths()
        assert not changes(s.exporter.metrics())


def test_a_new_source_address_is_followed():
    with scene() as s:
        s.fan.change_source()
        for family, name in NAMES.items():
            eventually(lambda: set(s.exporter.metrics().values("ecmp_flow_info", "source_address", destination=name))
                       == {AGENT_SECOND[family]}, 20, f"{name} sends from {AGENT_SECOND[family]}")
            eventually(lambda: {line["source_ip"] for line in s.exporter.paths(destination=name)
                                if line["reached_dest"]} == {AGENT_SECOND[family]}, 20, "every round is sent from it")
            wanted = s.expected(family, source=AGENT_SECOND[family])
            eventually(lambda: s.told(family) == wanted, 20, lambda: f"{s.told(family)} should be {wanted}")


def test_the_hosts_own_equal_cost_uplinks_are_part_of_the_paths():
    with scene(uplinks=2) as s:  # await_paths() of the scene has compared the whole paths
        for family in NAMES:
            first_hops = {path[0] for path in s.told(family).values()}
            assert first_hops == {s.fan.addresses[gateway][family] for gateway in s.fan.gateways}


def test_a_narrower_fan_is_a_change_of_width():
    with scene() as s:
        hurt = {(family, port) for family in NAMES for port in s.flows_over(s.fan.branch(4), family)}
        s.fan.narrow(3)
        s.await_paths()
        s.await_rounds(1)
        metrics = s.exporter.metrics()
        assert {(NAMES[family], port) for family, port in hurt} <= set(changes(metrics))
        kinds = {kind for (kind,), count in metrics.values("ecmp_flow_path_changes_total", ("kind",)).items() if count}
        # The flows of the branch that is gone, and some of the others: the kernel deals the whole hash range out anew.
        assert "width" in kinds and kinds <= {"width", "remap"}
        assert set(metrics.values("ecmp_paths", "destination").values()) == {3}
