"""The house as a test: include arrows run one way, and the core knows neither clock nor socket nor file."""
import collections
import glob
import os
import re
import subprocess

import pytest

from sources import ROOT, files, read

# directory -> what it may include of ours
ARROWS = {
    "base": {"base"},
    "stamp": {"stamp", "base"},
    "packet": {"packet", "stamp", "base"},
    "probe": {"probe", "packet", "stamp", "base"},
    "path": {"path", "probe", "packet", "stamp", "base"},
    "render": {"render", "path", "probe", "packet", "base"},
    "config": {"config", "probe", "packet", "base"},
    "sim": {"sim", "probe", "packet", "stamp", "base"},
    "net": {"net", "packet", "base", "probe"},
    "tui": {"tui", "render", "path", "probe", "packet", "base"},
    "agent": {"agent", "net", "config", "render", "path", "probe", "packet", "stamp", "base"},
    "trace": {"trace", "agent", "tui", "net", "sim", "config", "render", "path", "probe", "packet", "stamp", "base"},
}
CORE = {"base", "stamp", "packet", "probe", "path", "render", "config"}
# As pure as the core, in a library of its own: the simulated network.
PURE = CORE | {"sim"}
# Of probe/ the shell and the simulated network know the seam only: what they answer they read from the bytes.
FROM_PROBE = {"probe/transport.hpp"}

# Symbols that the core must not need. The core is given time, bytes and text, and gives bytes and text back.
FORBIDDEN = {
    "clock": r"\b(clock_gettime|gettimeofday|time|localtime(_r)?|nanosleep|clock)(@|$)|chrono::_V2::(system|steady)_clock::now",
    "socket": r"^(socket|bind|connect|sendto|sendmsg|sendmmsg|recv\w*|poll|ppoll|epoll_\w+|select|getaddrinfo|setsockopt)(@|$)",
    "thread": r"\bpthread_\w+|std::thread|std::mutex|std::condition_variable|std::__future|__once_proxy|std::this_thread",
    "random device": r"std::random_device|^(getrandom|rand|random|srand|arc4random\w*)(@|$)",
    "file": r"^(open(64)?|openat|fopen(64)?|creat|read|write|pread\w*|pwrite\w*|mmap|unlink|rename)(@|$)|std::filesystem"
            r"|basic_[io]?fstream|basic_filebuf",
    "iostream": r"std::(cout|cerr|clog|cin)\b|ios_base::Init|std::basic_[io]?stream|std::basic_ostream|std::ostream",
    "logging": r"spdlog|syslog",
    "environment": r"^(getenv|secure_getenv|system|popen|exit|abort_handler)(@|$)",
}
# toml++ and yaml-cpp are asked to parse text, and their interfaces are written with streams: the objects that include them
# name what their inline functions could use (a file to read, a stream to print an error to). None is called by us.
TOML_EXCEPTION = {"iostream", "file"}


def includes(path):
    return [(number, match.group(1)) for number, line in enumerate(read(path).splitlines(), 1)
            if (match := re.match(r'\s*#\s*include\s+"([^"]+)"', line))]


def test_includes_point_one_way():
    wrong = []
    for path in files(".hpp", ".cpp", under=["src"]):
        directory = path.split("/")[1]
        if directory.endswith(".cpp"):
            continue  # the programs: arguments, then one call into agent/ or trace/
        if directory not in ARROWS:
            wrong.append(f"{path}: src/{directory} has no place in the house (ARROWS)")
            continue
        for number, included in includes(path):
            target = included.split("/")[0]
            if "/" not in included:
                wrong.append(f'{path}:{number}: "{included}" does not say which directory it is of')
            elif target not in ARROWS[directory]:
                wrong.append(f"{path}:{number}: {directory} must not include {included}")
            elif directory in ("net", "sim") and target == "probe" and included not in FROM_PROBE:
                wrong.append(f"{path}:{number}: {directory} knows of probe only {sorted(FROM_PROBE)}")
    assert not wrong, "\n".join(wrong)


def test_headers_have_no_cycle():
    edges = {path[4:]: [included for _, included in includes(path)] for path in files(".hpp", under=["src"])}
    state = {}

    def visit(node, trail):
        if state.get(node) == "open":
            raise AssertionError("includes in a circle: " + " -> ".join([*trail[trail.index(node):], node]))
        if node in edges and node not in state:
            state[node] = "open"
            for following in edges[node]:
                visit(following, [*trail, node])
            state[node] = "done"

    for node in edges:
        visit(node, [])


def test_the_pure_libraries_include_no_header_of_the_outside_world():
    banned = re.compile(r"#\s*include\s+<(iostream|fstream|thread|mutex|condition_variable|future|filesystem|random"
                        r"|sys/.*|netinet/.*|unistd\.h|time\.h|ctime|fcntl\.h|spdlog/.*"
                        r"|pcap.*|httplib\.h|linux/.*)>")
    wrong = []
    for path in files(".hpp", ".cpp", under=[f"src/{directory}" for directory in sorted(PURE)]):
        wrong += [f"{path}:{number}: {line.strip()}" for number, line in enumerate(read(path).splitlines(), 1)
                  if banned.match(line.strip())]
    assert not wrong, "\n".join(wrong)


def undefined_symbols(library):
    """{object of the library: its undefined symbols}"""
    output = subprocess.run(["nm", "-uC", library], capture_output=True, text=True, check=True).stdout
    found, name = collections.defaultdict(list), None
    for line in output.splitlines():
        if line.endswith(":"):
            name = line[:-1]
        elif match := re.match(r"\s+[Uw] (.*)", line):
            found[name].append(match.group(1))
    return found


def toml_objects():
    """The objects whose source includes toml++ or yaml-cpp, by itself or by a header of ours."""
    libraries = ("<toml++/", "<yaml-cpp/")
    headers = [path[4:] for path in files(".hpp", under=["src"]) if any(library in read(path) for library in libraries)]
    wanted = [*libraries, *(f'"{header}"' for header in headers)]
    return {os.path.basename(path) + ".o" for path in files(".cpp", under=["src/config", "src/sim"])
            if any(include in read(path) for include in wanted)}


def sources_of(name, build):
    """The objects that one object stands for: itself, or those of the files that were compiled as one (cmake/Unity.cmake)."""
    for group in glob.glob(os.path.join(build, "**/Unity", name.removesuffix(".o")), recursive=True):
        with open(group) as file:
            return {os.path.basename(path) + ".o" for path in re.findall(r'#include "([^"]+)"', file.read())}
    return {name}


def offences(name, symbols, toml):
    for what, pattern in FORBIDDEN.items():
        if what in TOML_EXCEPTION and name in toml:
            continue
        for symbol in symbols:
            if re.search(pattern, symbol):
                yield f"{name}: {what}: {symbol}"


@pytest.mark.parametrize("name", ["libcore.a", "sim/libsimulation.a"])
def test_the_pure_libraries_need_no_clock_socket_thread_file_or_stream(name):
    core = os.environ.get("ECMP_CORE_LIBRARY") or os.path.join(ROOT, "build/dev/src/libcore.a")
    library = os.path.join(os.path.dirname(core), name)
    if not os.path.exists(library):
        pytest.fail(f"there is no {library}: build it first")
    symbols = undefined_symbols(library)
    assert symbols, "nm shows nothing"
    toml = {name for name in symbols if sources_of(name, os.path.dirname(library)) & toml_objects()}
    wrong = [line for name, names in symbols.items() for line in offences(name, names, toml)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("symbol,what", [
    ("clock_gettime", "clock"), ("std::chrono::_V2::steady_clock::now()", "clock"), ("time", "clock"), ("socket", "socket"),
    ("sendmmsg", "socket"), ("pthread_create", "thread"), ("std::random_device::_M_getval()", "random device"),
    ("getrandom", "random device"), ("fopen", "file"), ("std::basic_ifstream<char, std::char_traits<char> >::open", "file"),
    ("std::cout", "iostream"), ("std::ios_base::Init::Init()", "iostream"), ("getenv", "environment")])
def test_the_patterns_would_notice(symbol, what):
    assert any(line.startswith(f"x.o: {what}: ") for line in offences("x.o", [symbol], set()))


@pytest.mark.parametrize("symbol", ["memcpy", "operator new(unsigned long)", "ecmp::Engine::on_sent(std::span<...>)",
                                    "std::__throw_length_error(char const*)", "strtod", "fmt::v9::vformat",
                                    "ecmp::time_exceeded()", "ecmp::open_rounds"])
def test_the_patterns_leave_honest_symbols_alone(symbol):
    assert not list(offences("x.o", [symbol], set()))
