import grpc
import pytest

from swarmscope.sdk.delivery.counters import Signal
from swarmscope.sdk.delivery.grpc_transport import GrpcTransport
from swarmscope.sdk.delivery.transport import Answer
from tests.sdk.delivery.grpc_receiver import grpc_receiver
from tests.sdk.otlp_receiver import dead_port


@pytest.fixture
def make_transport():
    made = []

    def make(address):
        made.append(
            GrpcTransport(f"http://{address}", Signal.TRACES, {"X-Key": "v"}, certificate_file=None, compress=True)
        )
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.mark.parametrize(
    ("code", "wait_s", "answer"),
    [
        (grpc.StatusCode.UNAVAILABLE, None, Answer.AGAIN),
        (grpc.StatusCode.UNAVAILABLE, 0.25, Answer.AGAIN),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 1.5, Answer.AGAIN),
        (grpc.StatusCode.UNAUTHENTICATED, None, Answer.REFUSED),
        (grpc.StatusCode.INVALID_ARGUMENT, None, Answer.REFUSED),
    ],
)
def test_answers(make_transport, code, wait_s, answer):
    with grpc_receiver() as receiver:
        receiver.failures.append((code, wait_s))
        transport = make_transport(receiver.address)
        reply = transport.send(b"", 5)
        assert (reply.answer, reply.retry_after_s) == (answer, wait_s)
        assert receiver.n_calls == 1, "gRPC does not retry by itself"
        assert transport.send(b"", 5).answer is Answer.ACCEPTED
        assert ("x-key", "v") in receiver.metadata


def test_nobody_there(make_transport):
    assert make_transport(f"127.0.0.1:{dead_port()}").send(b"", 0.5).answer is Answer.AGAIN


def test_after_closing(make_transport):
    transport = make_transport(f"127.0.0.1:{dead_port()}")
    transport.close()
    assert transport.send(b"", 0.5).answer is not Answer.ACCEPTED
