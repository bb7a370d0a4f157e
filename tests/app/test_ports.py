import os
import socket

import pytest

from swarmscope.app.ports import PortInUseError, bind, port_of, spell_address


def test_free_port_is_chosen_for_zero():
    with bind("test", "127.0.0.1", 0) as listener:
        assert port_of(listener) > 0


def test_taken_port_names_its_holder():
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = port_of(holder)
        with pytest.raises(PortInUseError) as caught:
            bind("OTLP over HTTP", "127.0.0.1", port)
    text = str(caught.value)
    assert f"port {port} on 127.0.0.1 (OTLP over HTTP) is in use by " in text
    assert f"(pid {os.getpid()})" in text


def test_address_that_is_not_ours():
    with pytest.raises(OSError, match=r"cannot listen on 203\.0\.113\.7"):
        bind("test", "203.0.113.7", 0)


def test_spelling_of_addresses():
    assert spell_address("127.0.0.1", 80) == "127.0.0.1:80"
    assert spell_address("::1", 80) == "[::1]:80"
