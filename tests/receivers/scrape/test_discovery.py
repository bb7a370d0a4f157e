"""Targets from files, HTTP and DNS, and what becomes of an address."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import threading

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rrset
import pytest

from swarmscope.receivers.scrape.config_file import load_scrape_config
from swarmscope.receivers.scrape.config_model import (
    DnsDiscoveryConfig,
    FileDiscoveryConfig,
    ScrapeConfigError,
    TargetGroup,
)
from swarmscope.receivers.scrape.discovery.dns import DnsDiscovery
from swarmscope.receivers.scrape.discovery.files import FileDiscovery, read_groups, to_groups
from swarmscope.receivers.scrape.target import build_targets
from tests.receivers.scrape.served_target import Target, job_for, scraping, serving, until


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 60))


@contextlib.asynccontextmanager
async def discovering(discovery):
    """The list of all that `discovery` publishes, as [(targets, labels)]."""
    published = []
    task = asyncio.create_task(discovery.run(lambda groups: published.append([(g.targets, g.labels) for g in groups])))
    try:
        yield published
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_files_are_watched(tmp_path):
    one, two = tmp_path / "one.json", tmp_path / "two.yml"
    one.write_text(json.dumps([{"targets": ["a:1"], "labels": {"x": "y"}}]))

    async def scene():
        config = FileDiscoveryConfig.model_validate({"files": [f"{tmp_path}/*.json", f"{tmp_path}/*.yml"]})
        async with discovering(FileDiscovery(config, watch_interval_s=0.05)) as published:
            first = (["a:1"], {"x": "y", "__meta_filepath": str(one)})
            await until(lambda: published == [[first]])
            two.write_text("- targets: ['b:2', c:3]\n  labels: {port: 1}\n")
            second = (["b:2", "c:3"], {"port": "1", "__meta_filepath": str(two)})
            await until(lambda: published[-1] == [first, second])
            two.write_text("- targets: [")  # half written: the last good groups stay
            count = len(published)
            await until(lambda: len(published) > count)
            assert published[-1] == [first, second]
            os.remove(one)
            await until(lambda: published[-1] == [second])

    run(scene())


def test_file_discovery_end_to_end(tmp_path):
    file = tmp_path / "t.json"
    with serving(Target(b"a 1\n")) as address:
        file.write_text(json.dumps([{"targets": [address], "labels": {"team": "x"}}]))
        config = job_for(address, static_configs=None, file_sd_configs=[{"files": [str(file)]}])

        async def scene():
            async with scraping(config) as (manager, sink):
                await until(lambda: sink.last("a", team="x") == 1)
                file.write_text("[]")
                await until(lambda: manager.targets().active == [])

        run(scene())


def test_http_discovery_end_to_end():
    with serving(Target(b"a 1\n")) as address:
        answer = json.dumps([{"targets": [address], "labels": {"__meta_zone": "z1", "team": "y"}}]).encode()
        directory = Target(answer, content_type="application/json")
        with serving(directory) as endpoint:
            discovery = {"url": f"http://{endpoint}/sd", "refresh_interval": "200ms", "basic_auth": {"username": "u"}}
            rules = [{"source_labels": ["__meta_zone", "__meta_url"], "regex": "(.+);.+/sd", "target_label": "zone"}]
            config = job_for(address, static_configs=None, http_sd_configs=[discovery], relabel_configs=rules)

            async def scene():
                async with scraping(config) as (manager, sink):
                    await until(lambda: sink.last("a", team="y", zone="z1") == 1)
                    directory.status = 500
                    await asyncio.sleep(0.5)
                    assert len(manager.targets().active) == 1
                    directory.status, directory.body = 200, b"[]"
                    await until(lambda: manager.targets().active == [])

            run(scene())
        headers = directory.requests[0][1]
        assert headers["X-Prometheus-Refresh-Interval-Seconds"] == "0.2"
        assert headers["Authorization"] == "Basic dTo="


ZONE = {
    ("a.test.", "A"): ["10.0.0.1", "10.0.0.2"],
    ("six.test.", "AAAA"): ["::1"],
    ("_m._tcp.test.", "SRV"): ["0 5 9100 host1.test.", "0 5 9200 host2.test."],
    ("mail.test.", "MX"): ["10 mx.test."],
}


@contextlib.contextmanager
def dns_server():
    """A resolver that asks a small server of ZONE; names that are not there do not exist."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.settimeout(0.1)
    done = threading.Event()

    def serve():
        while not done.is_set():
            try:
                data, peer = server.recvfrom(4096)
            except TimeoutError:
                continue
            query = dns.message.from_wire(data)
            reply = dns.message.make_response(query)
            reply.flags |= dns.flags.RA
            question = query.question[0]
            kind = dns.rdatatype.to_text(question.rdtype)
            records = ZONE.get((question.name.to_text(), kind))
            if records:
                reply.answer.append(dns.rrset.from_text(question.name, 1, "IN", kind, *records))
            else:
                reply.set_rcode(dns.rcode.NXDOMAIN)
            server.sendto(reply.to_wire(), peer)

    thread = threading.Thread(target=serve)
    thread.start()
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], server.getsockname()[1]
    try:
        yield resolver
    finally:
        done.set()
        thread.join()
        server.close()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"names": ["a.test"], "type": "A", "port": 80},
            [(["10.0.0.1:80"], {"__meta_dns_name": "a.test"}), (["10.0.0.2:80"], {"__meta_dns_name": "a.test"})],
        ),
        ({"names": ["six.test"], "type": "AAAA", "port": 80}, [(["[::1]:80"], {"__meta_dns_name": "six.test"})]),
        (
            {"names": ["_m._tcp.test"]},
            [
                (
                    [f"host{n}.test:{port}"],
                    {
                        "__meta_dns_name": "_m._tcp.test",
                        "__meta_dns_srv_record_target": f"host{n}.test.",
                        "__meta_dns_srv_record_port": str(port),
                    },
                )
                for n, port in ((1, 9100), (2, 9200))
            ],
        ),
        (
            {"names": ["mail.test"], "type": "mx", "port": 25},
            [(["mx.test:25"], {"__meta_dns_name": "mail.test", "__meta_dns_mx_record_target": "mx.test."})],
        ),
        ({"names": ["absent.test"], "type": "A", "port": 80}, []),
    ],
)
def test_dns(config, expected):
    async def scene(resolver):
        discovery = DnsDiscovery(DnsDiscoveryConfig.model_validate(config), resolver)
        async with discovering(discovery) as published:
            await until(lambda: published)
            assert sorted(published[0], key=str) == sorted(expected, key=str)

    with dns_server() as resolver:
        run(scene(resolver))


def targets_of(addresses, labels=None, **settings):
    settings = load_scrape_config({"scrape_configs": [{"job_name": "j", **settings}]})
    job = settings.jobs[0]
    group = TargetGroup(targets=addresses, labels=labels or {})
    return build_targets(job, job.target_rules(), [group])


def test_address_becomes_url_and_labels():
    found = targets_of(
        ["h:1"],
        {"env": "p", "__meta_x": "m", "__param_b": "2"},
        params={"a": ["1", "x y"], "b": ["9", "8"]},
        scheme="https",
    )
    [target] = found.active.values()
    assert target.url == "https://h:1/metrics?a=1&a=x+y&b=2&b=8"
    assert target.labels == {"job": "j", "instance": "h:1", "env": "p"}
    assert target.discovered["__meta_x"] == "m"
    assert target.discovered["__scrape_interval__"] == "1m"


def test_relabelling_may_change_everything_about_a_target():
    rules = [
        {"target_label": "__address__", "replacement": "other:2"},
        {"target_label": "__scheme__", "replacement": "https"},
        {"target_label": "__metrics_path__", "replacement": "m"},
        {"target_label": "__scrape_interval__", "replacement": "5s"},
        {"target_label": "__scrape_timeout__", "replacement": "2s"},
        {"target_label": "__param_q", "replacement": "1"},
        {"target_label": "job", "replacement": "renamed"},
    ]
    [target] = targets_of(["h:1"], relabel_configs=rules).active.values()
    assert target.url == "https://other:2/m?q=1"
    assert (target.interval_ms, target.timeout_ms) == (5000, 2000)
    assert target.labels == {"job": "renamed", "instance": "other:2"}


def test_dropped_faulty_and_repeated_targets():
    rules = [{"action": "drop", "source_labels": ["__address__"], "regex": "b:.*"}]
    found = targets_of(["a:1", "a:1", "b:1"], relabel_configs=rules)
    assert len(found.active) == 1
    assert [labels["__address__"] for labels in found.dropped] == ["b:1"]
    bad = [{"target_label": "__scrape_timeout__", "replacement": "2m"}]
    assert "greater than scrape interval" in targets_of(["a:1"], relabel_configs=bad).faults[0]
    gone = [{"action": "labeldrop", "regex": "__address__"}]
    assert targets_of(["a:1"], relabel_configs=gone).faults == ["a:1: no address"]


def test_dropped_targets_are_listed_up_to_a_limit():
    rules = [{"action": "drop", "source_labels": ["__address__"], "regex": "b.*"}]
    config = job_for("a:1", relabel_configs=rules, keep_dropped_targets=1)
    config["scrape_configs"][0]["static_configs"] = [{"targets": ["b:1", "b:2"]}]

    async def scene():
        async with scraping(config) as (manager, _):
            await until(lambda: manager.targets().dropped_counts == {"j": 2})
            assert len(manager.targets().dropped) == 1

    run(scene())


def test_a_file_that_is_too_large_is_refused(tmp_path):
    path = tmp_path / "large.json"
    path.write_bytes(b"[" + b" " * (16 << 20) + b"]")
    with pytest.raises(ScrapeConfigError, match="is larger than 16777216 bytes"):
        read_groups(str(path))


@pytest.mark.parametrize(
    "document", [[{"targets": ["a:1"] * 100_001}], [{"targets": ["a:1"] * 60_000}] * 2, [{"targets": []}] * 100_001]
)
def test_too_many_targets_are_refused_before_they_are_looked_at(document):
    with pytest.raises(ScrapeConfigError, match="http://x: has more than 100000 targets"):
        to_groups(document, "http://x", {})
