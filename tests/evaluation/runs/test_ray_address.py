"""A cluster that Ray starts on this computer listens on this computer only, with a token."""

from importlib.metadata import requires

import pytest
from packaging.requirements import Requirement

from napari_medvlm.evaluation.runs.ray_workers import LOOPBACK, Ray


def test_a_local_cluster_listens_on_loopback_only(monkeypatch):
    pytest.importorskip("ray")
    from ray._private import services

    options = []

    class Library:
        @staticmethod
        def init(address, **given):
            resolved = services.resolve_ip_for_localhost(LOOPBACK)
            options.append({"address": address, "resolved": resolved, **given})

    workers = Ray("local", 2)
    before = services.resolve_ip_for_localhost
    monkeypatch.setattr(workers, "_ray", Library)
    workers._connect()
    (given,) = options
    assert given["_node_ip_address"] == given["resolved"] == LOOPBACK == "127.0.0.1"
    assert given["num_cpus"] == 2
    assert given["include_dashboard"] is False
    assert services.resolve_ip_for_localhost is before


def test_versions_of_ray_without_tokens_are_not_installed():
    wanted = [Requirement(text) for text in requires("napari-medvlm") or ()]
    (ray,) = (r for r in wanted if r.name == "ray" and r.marker.evaluate({"extra": "ray"}))
    assert "2.51" not in ray.specifier
    assert "2.52" in ray.specifier
