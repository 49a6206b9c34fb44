"""Databases of addresses in MaxMind's format: what the terminal makes of them, of damaged ones, and of none."""
import random
import re
import shutil
import subprocess

import pytest

from mmdb import database, maxmind_city
from tracer import scenario, simulated

pytestmark = pytest.mark.anywhere

# Addresses of the scenario's first router, and of its destination.
GATEWAY, DESTINATION = "10.1.0.1", "198.51.100.1"
SYSTEMS = {"10.0.0.0/8": {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"},
           "198.51.100.0/24": {"asn": "AS4200000001", "as_name": "Example"}, "2001:db8::/32": {"autonomous_system_number": 64502}}
PLACES = {"10.0.0.0/8": maxmind_city("Paris", "FR"), "10.1.0.0/16": maxmind_city("Frankfurt am Main", "DE"),
          "198.51.100.0/24": {"city": "Zürich", "country": "CH", "region": "Zurich"}}


def report(*arguments):
    return simulated("backbone", "-P", 2, "-c", 2, "--report", *arguments)


@pytest.mark.parametrize("bits", [24, 28, 32])
def test_another_reader_understands_what_the_tests_write(tmp_path, bits):
    if not shutil.which("mmdblookup"):
        pytest.skip("mmdblookup (Debian: mmdb-bin) is not installed")
    path = tmp_path / "places.mmdb"
    path.write_bytes(database({**PLACES, **{"2001:db8::/32": maxmind_city("x" * 300, "US")}}, bits=bits))
    for address, keys, wanted in (("10.1.2.3", ("city", "names", "en"), "Frankfurt am Main"), ("10.2.0.0", ("city", "names", "en"), "Paris"),
                                  ("198.51.100.7", ("city",), "Zürich"), ("2001:db8:1::", ("city", "names", "en"), "x" * 300)):
        done = subprocess.run(["mmdblookup", "--file", path, "--ip", address, *keys], capture_output=True, text=True, check=True)
        assert f'"{wanted}" <utf8_string>' in done.stdout
    done = subprocess.run(["mmdblookup", "--file", path, "--ip", "203.0.113.1"], capture_output=True, text=True, check=False)
    assert "Could not find an entry" in done.stdout + done.stderr


@pytest.mark.parametrize("bits", [24, 28, 32])
def test_systems_and_places_are_shown(tmp_path, bits):
    systems, places = tmp_path / "systems.mmdb", tmp_path / "places"  # known by its content
    systems.write_bytes(database(SYSTEMS, bits=bits))
    places.write_bytes(database(PLACES, bits=bits))
    done = report("--asn-database", systems, "--city-database", places)
    assert done.code == 0 and not done.err
    assert re.search(rf"{re.escape(GATEWAY)}\)? AS64500 Frankfurt am Main DE$|AS64500 Frankfurt am Main DE ", done.out, re.MULTILINE), done.out
    assert re.search(r"AS4200000001 Zürich CH", done.out), done.out
    hops = [hop for line in simulated("backbone", "-P", 1, "-c", 1, "-J", "--asn-database", systems, "--city-database", places).lines
            for hop in line["hops"]]
    assert {(hop.get("asn"), hop.get("city"), hop.get("country")) for hop in hops if hop["ip"] == DESTINATION} == {("4200000001", "Zürich", "CH")}
    # A tree of IPv4 alone.
    systems.write_bytes(database({"10.0.0.0/8": {"autonomous_system_number": 64503}}, version=4, bits=bits))
    assert " AS64503" in report("--asn-database", systems).out


def test_a_database_says_no_more_than_it_has(tmp_path):
    path = tmp_path / "odd.mmdb"
    path.write_bytes(database({"10.2.0.0/15": {"autonomous_system_number": "64500", "city": 7, "country": {"iso_code": ["DE"]}, "asn": "ASx"},
                               "198.51.100.0/24": {"city": b"\xff\xfe\x1b[31m\n", "country": "x" * 1000, "autonomous_system_number": 0},
                               "10.1.0.0/16": {"asn": "ASx", "city": "Ber\x1b]0;lin\x07", "country": "\u202eED"}}))
    done = report("--asn-database", path, "--city-database", path)
    assert done.code == 0 and " AS" not in done.out and "xxx" not in done.out
    # Nothing that moves a cursor, turns text around or is no text.
    assert not set("\ufffd\x1b\x07\u202e") & set(done.out) and "Ber" not in done.out


def test_damaged_databases_are_refused_in_one_line_or_say_less(tmp_path):
    path = tmp_path / "places.mmdb"
    good = database(PLACES)
    chance = random.Random(5)
    mangled = [b"", b"\0", b"no database", good[:-1], good[:len(good) // 2], chance.randbytes(50000), good[:-60] + good[-59:]]
    for _ in range(25):
        changed = bytearray(good)
        for _ in range(chance.randint(1, 12)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        mangled.append(bytes(changed))
    refused = 0
    for content in mangled:
        path.write_bytes(content)
        done = simulated("backbone", "-P", 1, "-c", 1, "--report", "--city-database", path, "--asn-database", path)
        assert done.code in (0, 1), done
        if done.code == 1:
            refused += 1
            assert re.fullmatch(rf"Error: {re.escape(str(path))}: .*\n", done.err) and not done.out, done
    assert refused >= 5
    for wrong in (tmp_path / "nothing.mmdb", tmp_path):
        done = report("--city-database", wrong)
        assert done.code == 1 and done.err.startswith(f"Error: {wrong}: ") and done.err.count("\n") == 1
