"""What is shipped around the programs, as far as it can be judged without installing it: the unit, the image's recipe, the
manifests, the man pages, the list of libraries."""
import glob
import json
import os
import re
import shutil
import subprocess

import pytest

from sources import ROOT, read

UNIT = "packaging/systemd/ecmp_exporter.service"
BUILD = os.environ.get("ECMP_BUILD_DIRECTORY") or os.path.join(ROOT, "build/dev")


def run(*command, **more):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, **more)


def need(tool):
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")


def test_the_unit_exposes_little():
    need("systemd-analyze")
    done = run("systemd-analyze", "security", "--offline=true", "--no-pager", UNIT)
    level = float(re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout).group(1))
    print(done.stdout.splitlines()[-1])
    assert level <= 1.9, done.stdout
    # What is held against it: docs/privileges.md says why each stays. Nothing else may join.
    held = set(re.findall(r"^✗ (\S+)", done.stdout, re.MULTILINE))
    assert held <= {"SystemCallFilter=~@privileged", "SystemCallFilter=~@resources", "RootDirectory=/RootImage=", "AmbientCapabilities=",
                    "RestrictAddressFamilies=~AF_PACKET",
                    "RestrictAddressFamilies=~AF_NETLINK", "RestrictAddressFamilies=~AF_UNIX",
                    "RestrictAddressFamilies=~AF_(INET|INET6)", "PrivateNetwork=", "PrivateUsers=", "DeviceAllow=",
                    "CapabilityBoundingSet=~CAP_NET_(BIND_SERVICE|BROADCAST|RAW)", "IPAddressDeny="}, held


def test_the_unit_gives_one_capability():
    text = read(UNIT)
    assert re.findall(r"^(?:AmbientCapabilities|CapabilityBoundingSet)=(.*)$", text, re.MULTILINE) == ["CAP_NET_RAW"] * 2
    assert re.search(r"^User=(?!root$)\w", text, re.MULTILINE)


def test_the_unit_lets_threads_yield_and_watches_the_loop():
    filters = re.findall(r"^SystemCallFilter=(.*)$", read(UNIT), re.MULTILINE)
    assert "@resources" in filters[1] and filters[1].startswith("~")  # which holds setpriority
    assert "setpriority" in filters[2].split()
    assert re.search(r"^Type=notify$", read(UNIT), re.MULTILINE)
    assert int(re.search(r"^WatchdogSec=(\d+)s$", read(UNIT), re.MULTILINE).group(1)) >= 20  # twice what is unhealthy


def test_man_pages_have_no_warnings():
    need("man")
    pages = glob.glob(os.path.join(ROOT, "docs/*.[18]"))
    assert pages
    for page in pages:
        done = run("man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page, env={**os.environ, "MANWIDTH": "80"})
        assert done.returncode == 0 and not done.stderr, f"{page}: {done.stderr}"


def instructions(path):
    """(word, rest) of a Dockerfile's instructions, continued lines joined, comments dropped."""
    lines = [line for line in read(path).splitlines() if not line.lstrip().startswith("#")]
    return [tuple(line.split(None, 1)) for line in "\n".join(lines).replace("\\\n", " ").splitlines() if line.strip()]


def test_the_image_is_made_by_scripts_of_the_tree():
    known = {"FROM", "WORKDIR", "COPY", "RUN", "LABEL", "USER", "EXPOSE", "VOLUME", "ENTRYPOINT", "CMD", "ARG", "ENV"}
    found = instructions("packaging/docker/Dockerfile")
    assert found[0][0] == "FROM" and {word for word, _ in found} <= known
    stages = [rest.split() for word, rest in found if word == "FROM"]
    assert len(stages) == 2, "one stage builds, the other runs"
    for stage in stages:
        assert re.search(r":\w", stage[0]) and not stage[0].endswith(":latest"), "a base without a version moves"
    users = [rest for word, rest in found if word == "USER"]
    assert users and not users[-1].startswith(("0", "root"))
    scripts = [rest.split()[0] for word, rest in found if word == "RUN" and rest.startswith("packaging/")]
    assert scripts == ["packaging/build_release.sh"]
    for script in scripts:
        assert os.access(os.path.join(ROOT, script), os.X_OK)
    for word, rest in found:
        if word == "COPY" and not rest.startswith("--from") and rest.split()[0] != ".":
            assert os.path.exists(os.path.join(ROOT, rest.split()[0])), rest
        if word in ("CMD", "ENTRYPOINT"):
            assert rest.startswith("["), "the shell form would be process 1 and swallow SIGTERM"


def packages(kind):
    """The packages of one list of dependencies.sh, for the release of this machine."""
    return set(run(os.path.join(ROOT, "packaging/dependencies.sh"), "--list", kind).stdout.split())


def test_the_list_of_libraries_is_what_the_programs_are_linked_to():
    need("ldd")
    need("objdump")
    wanted = set()
    for program in ("ecmp_exporter", "ecmp_trace"):
        path = os.path.join(BUILD, "src", program)
        assert os.access(path, os.X_OK), path
        for name in re.findall(r"NEEDED\s+(\S+)", run("objdump", "-p", path).stdout):
            place = re.search(rf"^\s*{re.escape(name)} => (\S+)", run("ldd", path).stdout, re.MULTILINE)
            # dpkg knows a library by the directory it was packed in, which may be reached through a link.
            places = {place.group(1), place.group(1).removeprefix("/usr"), "/usr" + place.group(1)} if place else set()
            for line in run("dpkg-query", "-S", *places).stdout.splitlines() if places else []:
                wanted.add(line.split(":")[0])
    base = {"libc6", "libgcc-s1", "libstdc++6"}  # libstdc++6 comes with libfmt9 and others
    assert wanted - base <= packages("runtime"), f"missing in runtime_packages: {wanted - base - packages('runtime')}"


def yaml_documents(path):
    yaml = pytest.importorskip("yaml", reason="python3-yaml is not installed")
    with open(path) as file:
        return [document for document in yaml.safe_load_all(file) if document]


def check_workload(workload):
    """What Kubernetes' schema does not know: that our pods see the real network, and have one capability."""
    selector = workload["spec"]["selector"]["matchLabels"]
    template = workload["spec"]["template"]
    assert selector.items() <= template["metadata"]["labels"].items()
    pod = template["spec"]
    assert pod["hostNetwork"] is True and pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        security = container["securityContext"]
        assert security["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}
        assert security["allowPrivilegeEscalation"] is False and security["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"]["memory"]
        ports = {port["name"] for port in container["ports"]}
        for probe in ("livenessProbe", "readinessProbe"):
            (check,) = container[probe].values()
            assert check["port"] in ports
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes


def test_manifests_hold_together():
    kinds = []
    for path in sorted(glob.glob(os.path.join(ROOT, "packaging/kubernetes/*.yaml"))):
        for document in yaml_documents(path):
            kinds.append(document["kind"])
            assert document["apiVersion"] == ("apps/v1" if document["kind"].endswith("Set") else "v1")
            if document["kind"].endswith("Set"):
                check_workload(document)
    assert sorted(kinds) == ["ConfigMap", "DaemonSet", "Namespace", "Service", "StatefulSet"]


def test_the_configuration_of_the_manifests_is_good(tmp_path):
    exporter = os.environ.get("ECMP_EXPORTER") or os.path.join(BUILD, "src/ecmp_exporter")
    found = [document["data"]["ecmp_exporter.toml"]
             for document in yaml_documents(os.path.join(ROOT, "packaging/kubernetes/configuration.yaml"))
             if document["kind"] == "ConfigMap"]
    found.append(yaml_documents(os.path.join(ROOT, "packaging/helm/ecmp-exporter/values.yaml"))[0]["config"])
    assert len(found) == 2
    for number, text in enumerate(found):
        path = tmp_path / f"{number}.toml"
        path.write_text(text)
        done = run(exporter, f"--config.file={path}", "--config.check")
        assert done.returncode == 0, done.stderr


def test_the_arguments_in_manifests_are_those_of_the_program():
    """An option that the program has not would be found out by a crash loop only."""
    exporter = os.environ.get("ECMP_EXPORTER") or os.path.join(BUILD, "src/ecmp_exporter")
    known = set(re.findall(r"--[a-z][a-z.-]*", run(exporter, "--help").stdout))
    sources = glob.glob(os.path.join(ROOT, "packaging/kubernetes/*.yaml"))
    sources += [os.path.join(ROOT, "packaging/helm/ecmp-exporter/templates/_pod.tpl"), os.path.join(ROOT, UNIT),
                os.path.join(ROOT, "packaging/docker/Dockerfile")]
    for path in sources:
        used = set(re.findall(r"(?<=[\s\"])--(?:(?:config|web|shard|log)\.[a-z.-]+|user|sandbox)", read(os.path.relpath(path, ROOT))))
        assert used <= known, f"{path}: {used - known}"


def test_the_chart_renders():
    helm = shutil.which("helm")
    if not helm:
        pytest.skip("helm is not installed (tests/peers.sh helm)")
    chart = "packaging/helm/ecmp-exporter"
    done = run(helm, "lint", "--strict", chart)
    assert done.returncode == 0, done.stdout + done.stderr
    yaml = pytest.importorskip("yaml")
    for mode, kind in (("daemonset", "DaemonSet"), ("statefulset", "StatefulSet")):
        for secret in ("", "web"):
            done = run(helm, "template", "release", chart, "--kube-version", "1.31", "--set",
                       f"mode={mode},webConfigSecret={secret}")
            assert done.returncode == 0, done.stderr
            (workload,) = [d for d in yaml.safe_load_all(done.stdout) if d and d["kind"] == kind]
            check_workload(workload)
    assert run(helm, "template", "release", chart, "--kube-version", "1.31", "--set", "mode=other").returncode != 0


# Every value of the chart but those that the test above sets.
MONITOR = {"enabled": True, "labels": {"release": "p"}, "interval": "15s", "scrapeTimeout": "10s", "scheme": "https",
           "tlsConfig": {"ca": {"secret": {"name": "n", "key": "ca.crt"}}},
           "basicAuth": {"username": {"name": "n", "key": "u"}, "password": {"name": "n", "key": "p"}},
           "authorization": {"type": "Bearer", "credentials": {"name": "n", "key": "t"}},
           "relabelings": [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "instance"}],
           "metricRelabelings": [{"sourceLabels": ["__name__"], "regex": "ecmp_hop_.*", "action": "drop"}],
           "sampleLimit": 1000000, "scrapeNativeHistograms": True, "scrapeClassicHistograms": False,
           "nativeHistogramBucketLimit": 160, "nativeHistogramMinBucketFactor": "1.1",
           "scrapeProtocols": ["PrometheusProto", "PrometheusText0.0.4"]}
VALUES = {
    "mode": "statefulset", "replicas": 2, "image": {"repository": "r", "tag": "t", "pullPolicy": "Always"},
    "imagePullSecrets": [{"name": "s"}], "port": 10816, "extraArgs": ["--log.level=debug"], "config": "[web]\n",
    "mesh": {"enabled": False, "port": 10900, "config": "flows = 8"},
    "webConfigSecret": "web", "resources": {"limits": {"memory": "1Gi"}}, "podAnnotations": {"a": "b"},
    "podLabels": {"c": "d"}, "nodeSelector": {"e": "f"}, "tolerations": [{"operator": "Exists"}],
    "affinity": {"nodeAffinity": {}}, "priorityClassName": "high", "podMonitor": MONITOR, "serviceMonitor": MONITOR,
    "extraVolumes": [{"name": "history", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "history", "mountPath": "/var/lib/ecmp_exporter"}],
    "prometheusRule": {"enabled": True, "labels": {"g": "h"}},
    "dashboards": {"enabled": True, "labels": {"grafana_dashboard": "1"}, "annotations": {"folder": "ECMP"}},
}


def test_the_agents_of_the_daemonset_are_a_mesh(tmp_path):
    """Their configuration names the headless service of the chart, and the program takes it."""
    helm = shutil.which("helm")
    if not helm:
        pytest.skip("helm is not installed (tests/peers.sh helm)")
    yaml = pytest.importorskip("yaml")
    rendered = run(helm, "template", "release", "packaging/helm/ecmp-exporter", "--namespace", "watch", "--kube-version", "1.31",
                   "--set", "mesh.enabled=true,mesh.config=flows = 8")
    assert rendered.returncode == 0, rendered.stderr
    made = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(rendered.stdout) if one}
    service = made["Service", "release-ecmp-exporter-mesh"]["spec"]
    pod = made["DaemonSet", "release-ecmp-exporter"]["spec"]["template"]
    assert service["clusterIP"] == "None" and service["publishNotReadyAddresses"] is True
    assert service["selector"].items() <= pod["metadata"]["labels"].items()
    (port,) = (one for one in pod["spec"]["containers"][0]["ports"] if one["name"] == service["ports"][0]["targetPort"])
    assert port == {"name": "mesh", "containerPort": 10862, "hostPort": 10862, "protocol": "UDP"}
    text = made["ConfigMap", "release-ecmp-exporter"]["data"]["ecmp_exporter.toml"]
    assert text.endswith('\n[mesh]\ngroups = ["release-ecmp-exporter-mesh.watch.svc"]\nport = 10862\nflows = 8\n')
    (tmp_path / "exporter.toml").write_text(text)
    exporter = os.environ.get("ECMP_EXPORTER") or os.path.join(BUILD, "src/ecmp_exporter")
    done = run(exporter, f"--config.file={tmp_path}/exporter.toml", "--config.check")
    assert done.returncode == 0, done.stderr
    refused = run(helm, "template", "release", "packaging/helm/ecmp-exporter", "--kube-version", "1.31", "--set",
                  "mesh.enabled=true,mode=statefulset")
    assert refused.returncode != 0 and "mesh.enabled takes mode: daemonset" in refused.stderr


def test_the_schema_of_the_chart_knows_every_value():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(read("packaging/helm/ecmp-exporter/values.schema.json"))
    (standard,) = yaml_documents(os.path.join(ROOT, "packaging/helm/ecmp-exporter/values.yaml"))
    for values in (standard, {**standard, **VALUES}):
        jsonschema.validate(values, schema)
    assert set(standard) == set(VALUES) and set(standard["podMonitor"]) == set(MONITOR)
    for wrong in ({"mesh": {"port": 0}}, {"mesh": {"peers": []}}, {"podMonitor": {"scrapetimeout": "1s"}}, {"serviceMonitor": {"interval": "often"}},
                  {"extraVolumeMounts": [{"name": "x"}]}, {"dashboard": {}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**standard, **wrong}, schema)


def test_the_chart_has_the_rules_and_boards_of_this_tree():
    files = os.path.join(ROOT, "packaging/helm/ecmp-exporter/files")
    for name in ("alerts.yml", "recording.yml"):
        assert os.path.realpath(os.path.join(files, name)) == os.path.join(os.path.realpath(ROOT), "dashboards/rules", name)
    boards = sorted(os.path.realpath(path) for path in glob.glob(os.path.join(files, "dashboards/*")))
    assert boards == sorted(os.path.realpath(path) for path in glob.glob(os.path.join(ROOT, "dashboards/grafana/*.json")))


def test_the_chart_renders_with_every_value(tmp_path):
    helm = shutil.which("helm")
    if not helm:
        pytest.skip("helm is not installed (tests/peers.sh helm)")
    yaml = pytest.importorskip("yaml")
    (tmp_path / "values.yaml").write_text(json.dumps(VALUES))
    done = run(helm, "lint", "--strict", "packaging/helm/ecmp-exporter", "-f", str(tmp_path / "values.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    done = run(helm, "template", "release", "packaging/helm/ecmp-exporter", "--kube-version", "1.31", "-f",
               str(tmp_path / "values.yaml"))
    assert done.returncode == 0, done.stderr
    made = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(done.stdout) if one}
    name = "release-ecmp-exporter"
    assert set(made) == {("ConfigMap", name), ("ConfigMap", name + "-dashboards"), ("Service", name), ("StatefulSet", name),
                         ("PodMonitor", name), ("ServiceMonitor", name), ("PrometheusRule", name)}
    check_workload(made["StatefulSet", name])
    pod = made["StatefulSet", name]["spec"]["template"]["spec"]
    assert VALUES["extraVolumes"][0] in pod["volumes"]
    assert VALUES["extraVolumeMounts"][0] in pod["containers"][0]["volumeMounts"]
    of_endpoint = {"interval", "scrapeTimeout", "scheme", "tlsConfig", "basicAuth", "authorization", "relabelings",
                   "metricRelabelings"}
    for kind, endpoints in (("PodMonitor", "podMetricsEndpoints"), ("ServiceMonitor", "endpoints")):
        spec, labels = made[kind, name]["spec"], made[kind, name]["metadata"]["labels"]
        (endpoint,) = spec.pop(endpoints)
        selector = spec.pop("selector")["matchLabels"]
        selected = made["Service", name]["metadata"] if kind == "ServiceMonitor" else (
            made["StatefulSet", name]["spec"]["template"]["metadata"])
        assert selector.items() <= selected["labels"].items() and labels["release"] == "p"
        assert endpoint == {"port": "metrics", **{key: MONITOR[key] for key in of_endpoint}}
        assert spec == {key: value for key, value in MONITOR.items() if key not in of_endpoint | {"enabled", "labels"}}
    groups = made["PrometheusRule", name]["spec"]["groups"]
    wanted = [group for file in ("recording", "alerts") for group in yaml.safe_load(read(f"dashboards/rules/{file}.yml"))["groups"]]
    assert groups == wanted
    for file, text in made["ConfigMap", name + "-dashboards"]["data"].items():
        assert json.loads(text) == json.loads(read(f"dashboards/grafana/{file}"))


def test_the_namespace_allows_what_the_pods_need():
    (namespace,) = [one for one in yaml_documents(os.path.join(ROOT, "packaging/kubernetes/configuration.yaml"))
                    if one["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"


def test_versions_agree():
    version = re.search(r"project\(ecmp_exporter VERSION ([0-9.]+)", read("CMakeLists.txt")).group(1)
    assert re.match(rf"ecmp-exporter \({re.escape(version)}\)", read("packaging/debian/changelog"))
    assert f'appVersion: "{version}"' in read("packaging/helm/ecmp-exporter/Chart.yaml")
    for path in glob.glob(os.path.join(ROOT, "packaging/kubernetes/*.yaml")):
        assert set(re.findall(r"image: ecmp-exporter:(\S+)", read(os.path.relpath(path, ROOT)))) <= {version}


def test_the_list_of_parts_names_every_file_and_what_it_depends_on(tmp_path):
    need("dpkg-deb")
    folder = tmp_path / "release"
    folder.mkdir()
    (folder / "a.tar.gz").write_bytes(b"abc")
    control = tmp_path / "package/DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text("Package: ecmp-trace\nVersion: 1+deb12\nArchitecture: arm64\nMaintainer: a <a@example.org>\nDescription: x\n"
                       "Depends: libfmt9 (>= 9.1), adduser | other\n")
    done = run("dpkg-deb", "--root-owner-group", "--build", str(tmp_path / "package"), str(folder / "ecmp-trace_1+deb12_arm64.deb"))
    assert done.returncode == 0, done.stderr
    (tmp_path / "release.bookworm-arm64.made_with").write_text("libcli11-dev 2.3.2 all\n")
    command = ("/usr/bin/python3", os.path.join(ROOT, "packaging/sbom.py"), str(folder), "1", "c0ffee", "86400")
    document = json.loads(run(*command).stdout)
    assert document["spdxVersion"] == "SPDX-2.3" and document["creationInfo"]["created"] == "1970-01-02T00:00:00Z"
    by_name = {package["name"]: package for package in document["packages"]}
    assert set(by_name) == {"a.tar.gz", "ecmp-trace_1+deb12_arm64.deb", "libfmt9", "adduser", "libcli11-dev"}
    # FIPS 180-2 appendix B.1
    assert by_name["a.tar.gz"]["checksums"] == [{"algorithm": "SHA256", "checksumValue":
                                                 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}]
    assert by_name["libfmt9"]["versionInfo"] == ">= 9.1" and by_name["libcli11-dev"]["versionInfo"] == "2.3.2"
    names = {package["SPDXID"]: package["name"] for package in document["packages"]}
    assert len(names) == len(by_name) and all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in names)
    found = {(names.get(r["spdxElementId"]), r["relationshipType"], names.get(r["relatedSpdxElement"])) for r in document["relationships"]}
    package = "ecmp-trace_1+deb12_arm64.deb"
    assert found == {(None, "DESCRIBES", "a.tar.gz"), (None, "DESCRIBES", package), (package, "DEPENDS_ON", "libfmt9"),
                     (package, "DEPENDS_ON", "adduser"), ("libcli11-dev", "BUILD_DEPENDENCY_OF", package)}
    assert run(*command).stdout == run(*command).stdout
