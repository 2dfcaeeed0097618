"""Calls the gRPC service of service.py at the address of its argument, and checks what comes of it."""

import queue
import sys

import grpc

PATIENCE = 20
REFUSED = sys.argv[2] if len(sys.argv) > 2 else None

channel = grpc.insecure_channel(sys.argv[1], options=(("grpc.enable_http_proxy", 0),))


def check(got, expected):
    assert got == expected, f"got {got!r}, expected {expected!r}"


def code_of(call):
    try:
        call()
    except grpc.RpcError as error:
        return error
    raise AssertionError("no error")


def unary():
    call = channel.unary_unary("/test.Service/Unary").with_call
    answer, call = call(b"hello", metadata=(("x-asked", "yes"),), timeout=PATIENCE)
    check(answer, b"hello!")
    check(dict(call.initial_metadata())["x-seen"], "yes")
    trailers = dict(call.trailing_metadata())
    check((trailers["x-trailer"], trailers["x-raw-bin"]), ("t", b"\x00\xff"))
    check(call.code(), grpc.StatusCode.OK)


def large():
    body = bytes(3_000_000)
    answer = channel.unary_unary("/test.Service/Unary")(body, timeout=PATIENCE)
    check(len(answer), len(body) + 1)


def server_streams():
    answers = channel.unary_stream("/test.Service/Counts")(b"1000", timeout=PATIENCE)
    check([int(answer) for answer in answers], list(range(1000)))


def client_streams():
    parts = (b"%d" % number for number in range(500))
    answer = channel.stream_unary("/test.Service/Joins")(parts, timeout=PATIENCE)
    check(answer.count(b","), 499)


def both_stream():
    said = queue.Queue()
    answers = channel.stream_stream("/test.Service/Echoes")(
        iter(said.get, None), timeout=PATIENCE
    )
    for turn in range(100):
        said.put(b"%d" % turn)
        check(next(answers), b"%d" % turn)
    said.put(None)
    check(list(answers), [])
    check(answers.code(), grpc.StatusCode.OK)


def errors():
    error = code_of(lambda: channel.unary_unary("/test.Service/Fails")(b"", timeout=PATIENCE))
    check(error.code(), grpc.StatusCode.FAILED_PRECONDITION)
    check(error.details(), "not now")
    check(dict(error.trailing_metadata())["x-why"], "because")
    error = code_of(lambda: channel.unary_unary("/test.Service/None")(b"", timeout=PATIENCE))
    check(error.code(), grpc.StatusCode.UNIMPLEMENTED)


def deadline_and_cancel():
    hangs = channel.unary_stream("/test.Service/Hangs")
    error = code_of(lambda: list(hangs(b"", timeout=0.5)))
    check(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
    answers = hangs(b"", timeout=PATIENCE)
    check(next(answers), b"begun")
    answers.cancel()
    check(answers.code(), grpc.StatusCode.CANCELLED)


def refused():
    call = channel.unary_unary("/test.Service/Unary")
    error = code_of(lambda: call(b"", timeout=PATIENCE))
    check(error.code(), getattr(grpc.StatusCode, REFUSED))


if REFUSED:
    refused()
else:
    for part in (
        unary,
        large,
        server_streams,
        client_streams,
        both_stream,
        errors,
        deadline_and_cancel,
    ):
        part()
print("done")
