import socket

import pytest

from swarmscope.app.ports import port_of
from swarmscope.app.settings import Settings
from swarmscope.app.stages.listening import bind_listeners

FREE = {"port": 0, "otlp_http_port": 0, "otlp_grpc_port": 0, "prometheus_port": 0, "loki_port": 0, "tempo_port": 0}


@pytest.fixture
def listen(request):
    def bound(**values):
        listeners = bind_listeners(Settings(**{**FREE, **values}))
        for held in (listeners.main, listeners.otlp_http, listeners.prometheus, listeners.loki, listeners.tempo):
            if held is not None:
                request.addfinalizer(held.close)
        return listeners

    return bound


def test_other_programs_ports_are_left_alone_unless_they_are_asked_for(listen):
    listeners = listen()
    assert (listeners.prometheus, listeners.loki, listeners.tempo) == (None, None, None)


def test_compatibility_ports_are_told(listen):
    listeners = listen(compat_ports=True)
    told = {address.purpose: (address.port, address.path) for address in listeners.addresses(1)}
    assert told["Prometheus, default port"] == (port_of(listeners.prometheus), "/")
    assert told["Loki, default port"] == (port_of(listeners.loki), "/loki")
    assert told["Tempo, default port"] == (port_of(listeners.tempo), "/")


def test_a_compatibility_port_that_is_taken_is_skipped(listen, caplog):
    with socket.create_server(("127.0.0.1", 0)) as holder:
        listeners = listen(compat_ports=True, loki_port=port_of(holder))
        assert f"skipping a compatibility port: port {port_of(holder)} on 127.0.0.1 (Loki)" in caplog.text
    assert listeners.loki is None
    assert listeners.prometheus is not None


def test_ports_are_those_of_the_originals():
    settings = Settings()
    assert (settings.prometheus_port, settings.loki_port, settings.tempo_port) == (9090, 3100, 3200)
