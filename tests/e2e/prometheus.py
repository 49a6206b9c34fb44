"""A real Prometheus, Debian's or another one, that scrapes exporters every second from within the lab."""
import http.client
import json
import os
import shutil
import subprocess
import urllib.parse

from exporter import free_port


# The program of Prometheus 3, which neither Debian 12 nor 13 has.
THREE = os.environ.get("ECMP_PROMETHEUS_3") or shutil.which("prometheus3") or ""


def without_three():
    """Why there is no Prometheus 3 here; empty if there is one."""
    return "" if THREE and shutil.which(THREE) else "there is no Prometheus 3 (tests/peers.sh prometheus, or ECMP_PROMETHEUS_3)"


class Prometheus:
    """Runs in the agent's namespace. `exporters`: one, or {instance: exporter}; `rules`: files; `keys`: of the job."""

    def __init__(self, fan, exporters, directory, *flags, rules=(), job="ecmp", program="prometheus", keys=None):
        self.fan = fan
        self.exporters = exporters
        self.port = free_port(fan.network.ns("agent"))
        directory.mkdir()
        self.log = directory / "log"
        scraped = exporters.items() if isinstance(exporters, dict) else [(None, exporters)]
        targets = [{"targets": [f"127.0.0.1:{one.port}"], **({"labels": {"instance": name}} if name else {})}
                   for name, one in scraped]
        # JSON is YAML.
        (directory / "prometheus.yml").write_text(
            json.dumps({
                "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}, "rule_files":
                [str(path) for path in rules], "scrape_configs": [{"job_name": job, "static_configs": targets, **(keys or {})}]
            }))
        self.process = fan.network.popen("agent", [
            program, f"--config.file={directory}/prometheus.yml", f"--storage.tsdb.path={directory}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", *flags
        ], stdout=subprocess.DEVNULL, stderr=open(self.log, "w"))

    def answer(self, path, **parameters):
        """The whole answer of the API, an error's too."""
        with self.fan.network.entered("agent"):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            try:
                connection.request("GET", f"/api/v1/{path}?" + urllib.parse.urlencode(parameters, doseq=True))
                return json.loads(connection.getresponse().read())
            except (OSError, ValueError) as error:
                return {"status": "error", "error": str(error)}
            finally:
                connection.close()

    def api(self, path, **parameters):
        return self.answer(path, **parameters).get("data", {})

    def query(self, expression, by):
        """{values of the labels `by`: value}; of an instant vector."""
        return {
            tuple(series["metric"].get(label) for label in by): float(series["value"][1])
            for series in self.api("query", query=expression).get("result", []) if "value" in series
        }

    def is_up(self):
        """Every exporter was scraped."""
        targets = self.api("targets").get("activeTargets", [])
        return bool(targets) and all(target["health"] == "up" for target in targets)

    def close(self):
        self.process.terminate()
        self.process.wait(20)
