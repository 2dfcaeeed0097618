"""A gRPC service by grpcio. Prints its port, and on a line each what befell its calls."""

import sys
from concurrent import futures

import grpc


def tell(text):
    print(text, flush=True)


def unary(request, context):
    metadata = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-seen", metadata.get("x-asked", "")),))
    context.set_trailing_metadata((("x-trailer", "t"), ("x-raw-bin", b"\x00\xff")))
    return request + b"!"


def fails(request, context):
    context.set_trailing_metadata((("x-why", "because"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now")


def hangs(request, context):
    gone = futures.Future()
    # Not called when the call is over already.
    if not context.add_callback(lambda: gone.set_result(None)):
        gone.set_result(None)
    tell("hangs")
    try:
        yield b"begun"
    except GeneratorExit:
        # A call that is over by then isn't gone on with.
        tell("cancelled")
        raise
    gone.result(30)
    tell("cancelled")


def counts(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def joins(requests, context):
    return b",".join(requests)


def echoes(requests, context):
    for request in requests:
        yield request


def handler():
    calls = {
        "Unary": grpc.unary_unary_rpc_method_handler(unary),
        "Fails": grpc.unary_unary_rpc_method_handler(fails),
        "Hangs": grpc.unary_stream_rpc_method_handler(hangs),
        "Counts": grpc.unary_stream_rpc_method_handler(counts),
        "Joins": grpc.stream_unary_rpc_method_handler(joins),
        "Echoes": grpc.stream_stream_rpc_method_handler(echoes),
    }
    return grpc.method_handlers_generic_handler("test.Service", calls)


server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), handlers=[handler()])
port = server.add_insecure_port("127.0.0.1:0")
server.start()
tell(port)
# Ends with whoever started it.
sys.stdin.read()
server.stop(None)
