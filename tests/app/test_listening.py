import socket

import pytest

from swarmscope.app.ports import port_of
from swarmscope.app.settings import Settings
from swarmscope.app.stages.listening import CompatPort, bind_listeners

FREE = {"port": 0, "otlp_http_port": 0, "otlp_grpc_port": 0} | {kind.setting: 0 for kind in CompatPort}


@pytest.fixture
def listen(request):
    def bound(**values):
        listeners = bind_listeners(Settings(**{**FREE, **values}))
        for held in (listeners.main, listeners.otlp_http, *listeners.compat.values()):
            request.addfinalizer(held.close)
        return listeners

    return bound


def test_other_programs_ports_are_left_alone_unless_they_are_asked_for(listen):
    assert listen().compat == {}


def test_compatibility_ports_are_told(listen):
    listeners = listen(compat_ports=True)
    told = {address.purpose: (address.port, address.path) for address in listeners.addresses(1)}
    for kind in CompatPort:
        assert told[f"{kind.purpose}, default port"] == (port_of(listeners.compat[kind]), kind.path)


def test_a_compatibility_port_that_is_taken_is_skipped(listen, caplog):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        listeners = listen(compat_ports=True, loki_port=port_of(holder))
        assert f"skipping a compatibility port: port {port_of(holder)} on 127.0.0.1 (Loki)" in caplog.text
    assert set(CompatPort) - set(listeners.compat) == {CompatPort.LOKI}


def test_ports_are_those_of_the_originals():
    settings = Settings()
    ports = [getattr(settings, kind.setting) for kind in CompatPort]
    assert ports == [9090, 9093, 3100, 3200, 16686, 14268, 9411]
    assert (settings.jaeger_compact_port, settings.jaeger_binary_port) == (6831, 6832)
    assert (settings.jaeger_port, settings.zipkin_port) == (16686, 9411)
