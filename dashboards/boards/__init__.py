"""The Grafana dashboards, as code: each module but the first two makes one board."""
