#!/usr/bin/python3
"""Prints what a release is made of, as SPDX 2.3 in JSON: the files in its folder, and for each Debian package what it depends on,
with the ranges of versions it was linked against, and the -dev packages it was compiled with (some are nothing but headers).

    packaging/sbom.py FOLDER VERSION COMMIT EPOCH        (FOLDER.RELEASE-ARCHITECTURE.made_with beside it: packaging/release.sh)

https://spdx.github.io/spdx-spec/v2.3/ has the format. The text depends on nothing but the arguments and the files.
"""
import glob
import hashlib
import json
import os
import re
import subprocess
import sys
import time

LICENSE = "MIT"
SUITES = {"bookworm": "12", "trixie": "13"}
NAMESPACE = "https://example.org/spdx/ecmp_exporter"


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def identifier(text):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", text)


def field(package, name):
    return subprocess.run(["dpkg-deb", "--field", package, name], capture_output=True, text=True, check=True).stdout.strip()


def of_file(path, version):
    name = os.path.basename(path)
    return {"SPDXID": identifier(name), "name": name, "versionInfo": version, "packageFileName": name, "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False, "licenseConcluded": LICENSE, "licenseDeclared": LICENSE, "copyrightText": "NOASSERTION",
            "checksums": [{"algorithm": "SHA256", "checksumValue": sha256(path)}]}


def of_dependency(release, name, versions, architecture=""):
    return {"SPDXID": identifier("-".join(filter(None, (release, name, architecture)))), "name": name, "versionInfo": versions, "downloadLocation": "NOASSERTION",
            "filesAnalyzed": False, "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
            "supplier": "Organization: Debian",
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": f"pkg:deb/debian/{name}?distro={release}"}]}


def document(folder, version, commit, epoch):
    packages, relationships = {}, []

    def related(one, kind, other):
        relationships.append({"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other})
    for path in sorted(glob.glob(os.path.join(folder, "*"))):
        if path.endswith((".spdx.json", "SHA256SUMS")):
            continue
        made = of_file(path, version)
        packages[made["SPDXID"]] = made
        related("SPDXRef-DOCUMENT", "DESCRIBES", made["SPDXID"])
        if not path.endswith(".deb"):
            continue
        release = "debian-" + re.search(r"\+deb(\d+)_", path).group(1)
        for depends in filter(None, re.split(r",\s*", field(path, "Depends"))):
            name, versions = re.fullmatch(r"(\S+?)(?:\s+\((.*)\))?", depends.split("|")[0].strip()).groups()
            other = of_dependency(release, name, versions or "any")
            known = packages.setdefault(other["SPDXID"], other)
            if versions and versions not in known["versionInfo"].split(", "):
                known["versionInfo"] = versions if known["versionInfo"] == "any" else known["versionInfo"] + ", " + versions
            related(made["SPDXID"], "DEPENDS_ON", other["SPDXID"])
    for path in sorted(glob.glob(folder + ".*.made_with")):
        release, architecture = path.removesuffix(".made_with").rsplit(".", 1)[1].split("-")
        number = SUITES[release]
        made = [key for key in packages if re.search(rf"-deb{number}-{architecture}\.deb$", key)]
        with open(path) as file:
            for name, exact, of in (line.split() for line in file):
                other = of_dependency(f"debian-{number}", name, exact, of)
                packages.setdefault(other["SPDXID"], other)
                for one in made:
                    related(other["SPDXID"], "BUILD_DEPENDENCY_OF", one)
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"ecmp_exporter-{version}",
            "documentNamespace": f"{NAMESPACE}/{version}/{commit}",
            "creationInfo": {"created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(int(epoch))), "creators": ["Tool: packaging/sbom.py"]},
            "packages": list(packages.values()), "relationships": relationships}


if __name__ == "__main__":
    json.dump(document(*sys.argv[1:5]), sys.stdout, indent=1, sort_keys=True)
    print()
