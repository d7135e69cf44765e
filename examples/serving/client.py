"""Translates sentences with a TensorFlow Serving server that has loaded an export.

    python client.py "Two young girls are sitting on a bench."
    python client.py --grpc localhost:8500 --n-best "A man is reading a book."

REST needs nothing but Python; gRPC needs `pip install tensorflow-serving-api`. The
README here starts a server.
"""

import argparse
import json
import urllib.error
import urllib.request


def translate_rest(address, model, inputs, signature, timeout):
    """The outputs of a signature by name, over REST."""
    body = json.dumps({"signature_name": signature, "inputs": inputs}).encode()
    request = urllib.request.Request(
        f"http://{address}/v1/models/{model}:predict", body
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return json.load(response)["outputs"]
    except urllib.error.HTTPError as error:
        raise RuntimeError(
            f"{address} answered {error.code}: {error.read().decode(errors='replace')}"
        ) from None


def translate_grpc(address, model, inputs, signature, timeout):
    """The outputs of a signature by name, over gRPC."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    with grpc.insecure_channel(address) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            response = stub.Predict(request, timeout=timeout)
        except grpc.RpcError as error:
            raise RuntimeError(
                f"{address} answered {error.code().name}: {error.details()}"
            ) from None
    arrays = {name: tf.make_ndarray(value) for name, value in response.outputs.items()}
    return {name: decoded(array.tolist()) for name, array in arrays.items()}


def decoded(value):
    """Nested lists with strings in place of bytes."""
    if isinstance(value, list):
        return [decoded(item) for item in value]
    return value.decode() if isinstance(value, bytes) else value


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", nargs="+", help="sentences")
    parser.add_argument(
        "--rest",
        default="localhost:8501",
        metavar="HOST:PORT",
        help="(default: %(default)s)",
    )
    parser.add_argument("--grpc", metavar="HOST:PORT", help="use gRPC instead")
    parser.add_argument(
        "--model",
        default="translator",
        help="the server's name of the model (default: %(default)s)",
    )
    parser.add_argument(
        "--n-best",
        action="store_true",
        help="print all hypotheses of each sentence, with scores",
    )
    parser.add_argument(
        "--timeout", type=float, default=60.0, help="seconds (default: %(default)s)"
    )
    options = parser.parse_args()

    translate = translate_grpc if options.grpc else translate_rest
    address = options.grpc or options.rest
    signature = "n_best" if options.n_best else "serving_default"
    try:
        found = translate(
            address, options.model, {"text": options.text}, signature, options.timeout
        )
    except (RuntimeError, OSError) as error:
        raise SystemExit(f"client.py: error: {error}") from None
    if not options.n_best:
        print(*found["translation"], sep="\n")
        return
    for number, (texts, scores) in enumerate(
        zip(found["translations"], found["scores"]), 1
    ):
        for text, score in zip(texts, scores):
            if float(score) > float("-inf"):
                print(f"{number}\t{score:.4f}\t{text}")


if __name__ == "__main__":
    main()
