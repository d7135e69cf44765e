"""A loopback server, not TensorFlow Serving, that speaks its predict protocols.

It answers by REST and gRPC from a SavedModel, with the messages and the servicer of
tensorflow-serving-api: `python serving.py FOLDER` prints the REST and the gRPC port and
serves until its input ends.
"""

import http.server
import json
import re
import sys
import threading
from concurrent import futures

import grpc
import numpy as np
import tensorflow as tf
import tensorflow_text  # noqa: F401
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

NAME = "translator"


def predict(loaded, name, signature, inputs):
    """The outputs of a signature as arrays.

    Raises:
        KeyError: if there is no such model or signature.
        ValueError: if the inputs are not the signature's.
    """
    if name != NAME:
        raise KeyError(f"Servable not found for request: Latest({name})")
    if signature not in loaded.signatures:
        raise KeyError(
            f"Serving signature name: {signature!r} not found in signature def"
        )
    function = loaded.signatures[signature]
    _, specs = function.structured_input_signature
    if set(inputs) != set(specs):
        raise ValueError(
            f"input tensor alias must be {sorted(specs)}; received {sorted(inputs)}"
        )
    outputs = function(
        **{key: tf.constant(value, specs[key].dtype) for key, value in inputs.items()}
    )
    return {key: value.numpy() for key, value in outputs.items()}


class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, loaded):
        self.loaded = loaded

    def Predict(self, request, context):
        signature = request.model_spec.signature_name or "serving_default"
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        try:
            outputs = predict(self.loaded, request.model_spec.name, signature, inputs)
        except KeyError as error:
            context.abort(grpc.StatusCode.NOT_FOUND, error.args[0])
        except ValueError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        response = predict_pb2.PredictResponse(model_spec=request.model_spec)
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response


def handler_of(loaded):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            try:
                name = re.fullmatch(
                    r"/v1/models/(\w+)(?:/versions/1)?:predict", self.path
                )[1]
                request = json.loads(
                    self.rfile.read(int(self.headers["Content-Length"]))
                )
                signature = request.get("signature_name", "serving_default")
                outputs = predict(loaded, name, signature, request["inputs"])
                decode = np.vectorize(
                    lambda x: x.decode() if isinstance(x, bytes) else x, otypes=[object]
                )
                lists = {key: decode(value).tolist() for key, value in outputs.items()}
                status = 200
                answer = {
                    "outputs": lists if len(lists) > 1 else next(iter(lists.values()))
                }
            except KeyError as error:
                status = 404
                answer = {"error": error.args[0]}
            except (ValueError, TypeError) as error:
                status = 400
                answer = {"error": str(error)}
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    return Handler


def main():
    loaded = tf.saved_model.load(sys.argv[1])
    rest = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(loaded))
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        Servicer(loaded), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"PORTS {rest.server_address[1]} {port}", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
