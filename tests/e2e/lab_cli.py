"""The command line of the lab; see lab.py and docs/lab.md."""
import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys

from lab import MAXIMUM_WIDTH, Fan
from netns import NETNS_DIRECTORY, LabError, close_on_exit, entered, inside, run

STATE_DIRECTORY = "/run/ecmp-lab"
FAULTS = {  # name: (method of Fan, types of its arguments, help)
    "lose": ("lose", (str, float), "BRANCH RATIO: the branch loses this share of what it forwards"),
    "lose-answers": ("lose_answers", (str, float), "ROUTER RATIO: this share of its own ICMP answers is not sent"),
    "limit-answers": ("limit_answers", (str, int), "ROUTER N: no more than N ICMP answers a second"),
    "black-hole": ("black_hole", (str,), "BRANCH: drops all"),
    "reject": ("reject", (str,), "BRANCH: refuses, administratively prohibited"),
    "heal": ("heal", (str,), "ROUTER: ends all of the above"),
    "replace": ("replace_branch", (int,), "N: the spare router takes the place of branch N of stage 1"),
    "restore": ("restore_branch", (int,), "N: ends replace"),
    "narrow": ("narrow", (int,), "N: only the first N branches of stage 1 are used"),
    "widen": ("widen", (), "ends narrow"),
    "grow": ("grow", (), "one more router before the destination"),
    "shrink": ("shrink", (), "ends grow"),
}


def _state_path(name):
    return os.path.join(STATE_DIRECTORY, name + ".json")


def _attach(name):
    try:
        with open(_state_path(name)) as file:
            parameters = json.load(file)
    except FileNotFoundError as error:
        raise LabError(f"no lab of the name {name!r} is up") from error
    return Fan(**parameters, prefix=name, attach=True)


def up(options):
    os.makedirs(STATE_DIRECTORY, exist_ok=True)
    parameters = {"width": options.width, "stages": options.stages, "uplinks": options.uplinks, "icmp": options.icmp,
                  "seed": options.seed}
    fan = Fan(**parameters, prefix=options.name)
    with open(_state_path(options.name), "w") as file:
        json.dump(parameters, file)
    fan.network.forget()
    for node, addresses in fan.addresses.items():
        print(f"{fan.network.ns(node):24} {addresses[4]:16} {addresses[6]}")


def down(options):
    # By name, not by what a state file says: also what a killed start left behind is taken down.
    if os.path.isdir(NETNS_DIRECTORY):
        for namespace in sorted(os.listdir(NETNS_DIRECTORY)):
            if namespace.startswith(options.name + "-"):
                run(["ip", "netns", "del", namespace])
    if os.path.exists(_state_path(options.name)):
        os.remove(_state_path(options.name))


def execute(options):
    fan = _attach(options.name)
    if options.node not in fan.addresses:
        raise LabError(f"{options.node!r} is none of: {' '.join(fan.addresses)}")
    if not options.command:
        raise LabError("exec what? lab.py exec NODE COMMAND [ARGUMENTS]")
    arguments = [*inside(fan.network.ns(options.node)), *options.command]
    sys.stdout.flush()
    os.execvp(arguments[0], arguments)


def expect(options):
    fan = _attach(options.name)
    ports = range(options.source_port, options.source_port + options.flows)
    paths = fan.expected_paths(options.destination, ports, options.protocol, options.port)
    for port in ports:
        print(port, " ".join(paths[port]))


def fault(options):
    method, types, help_text = FAULTS[options.fault]
    fan = _attach(options.name)
    if len(options.arguments) != len(types):
        raise LabError(f"fault {options.fault} takes {help_text}")
    try:
        arguments = [kind(text) for kind, text in zip(types, options.arguments)]
    except ValueError as error:
        raise LabError(f"fault {options.fault}: {error}") from error
    if types and types[0] is str and arguments[0] not in fan.addresses:
        raise LabError(f"{arguments[0]!r} is none of: {' '.join(fan.addresses)}")
    if types == (int,) and not 1 <= arguments[0] <= fan.width:
        raise LabError(f"fault {options.fault}: branches are numbered 1 to {fan.width}")
    getattr(fan, method)(*arguments)


def forward(options):
    """Serves a port of the caller's namespace from a node. Runs until it is ended.

    The listening socket is made here, outside; then the process enters the node, and its connections begin there. So
    neither side needs an interface, an address or a rule for it.
    """
    asyncio.run(_forward(options))


async def _forward(options):
    host, port = options.listen.rsplit(":", 1)
    to_host, to_port = options.to.rsplit(":", 1)

    async def copy(reader, writer):
        try:
            while chunk := await reader.read(65536):
                writer.write(chunk)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()
        except OSError:
            writer.close()

    async def serve(reader, writer):
        try:
            far_reader, far_writer = await asyncio.open_connection(to_host, int(to_port))
        except OSError:
            writer.close()
            return
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))
        for end in (writer, far_writer):
            end.close()

    try:
        server = await asyncio.start_server(serve, host, int(port))
    except OSError as error:
        raise LabError(f"cannot listen on {options.listen}: {os.strerror(error.errno)}") from error
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with entered(f"{options.name}-{options.node}"):
        async with server:
            print("forwarding", flush=True)
            await stop.wait()


def parser():
    top = argparse.ArgumentParser(prog="lab.py", description="A network of namespaces with real equal-cost paths.")
    top.add_argument("--name", default="ecmplab", help="of the lab; its namespaces are NAME-agent, NAME-r1, ...")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("up", help="make the lab")
    one.add_argument("--width", type=int, default=4, help=f"branches of each stage, 1 to {MAXIMUM_WIDTH}")
    one.add_argument("--stages", type=int, default=1)
    one.add_argument("--uplinks", type=int, default=1, help="first hops the agent itself balances over")
    one.add_argument("--icmp", choices=("unlimited", "kernel"), default="unlimited", help="limits of ICMP errors")
    one.add_argument("--seed", type=int, default=1, help="of the routers' hashes")
    one.set_defaults(run=up)

    commands.add_parser("down", help="take it down").set_defaults(run=down)

    one = commands.add_parser("exec", help="run a command in a node")
    one.add_argument("node")
    one.add_argument("command", nargs=argparse.REMAINDER)
    one.set_defaults(run=execute)

    one = commands.add_parser("expect", help="tell the path of each flow, as the routers' tables say")
    one.add_argument("destination", nargs="?", default="10.99.0.1")
    one.add_argument("--protocol", choices=("udp", "tcp", "icmp"), default="udp")
    one.add_argument("--port", type=int, default=33434)
    one.add_argument("--source-port", type=int, default=50000)
    one.add_argument("--flows", type=int, default=16)
    one.set_defaults(run=expect)

    one = commands.add_parser("fault", help="break something, or mend it",
                              formatter_class=argparse.RawDescriptionHelpFormatter,
                              epilog="\n".join(f"  {name:14} {text}" for name, (_, _, text) in FAULTS.items()))
    one.add_argument("fault", choices=FAULTS, metavar="FAULT")
    one.add_argument("arguments", nargs="*")
    one.set_defaults(run=fault)

    one = commands.add_parser("forward", help="serve a port of this namespace from a node, until ended")
    one.add_argument("--listen", default="127.0.0.1:10815")
    one.add_argument("--node", default="agent")
    one.add_argument("--to", default="127.0.0.1:10815")
    one.set_defaults(run=forward)
    return top


def main(arguments=None):
    options = parser().parse_args(arguments)
    close_on_exit()
    try:
        options.run(options)
    except LabError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    except subprocess.SubprocessError as error:
        print(f"lab.py: {error}", file=sys.stderr)
        return 1
    return 0
