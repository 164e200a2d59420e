"""TF Serving's gRPC interface: PredictionService's Predict and GetModelMetadata."""

import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from typing import Any

import grpc
import tensorflow as tf
from google.protobuf.any_pb2 import Any as AnyMessage
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from hicmd_tf.errors import UserError
from hicmd_tf.export.serving.failures import Failure, Kind
from hicmd_tf.export.serving.servable import DEFAULT
from hicmd_tf.export.serving.service import Service

WORKERS = 64  # that wait for answers; the model has one


def grpc_server(service: Service, address: str) -> tuple[Any, int]:
    """A server, not yet started, and its port. Raises UserError when the address is taken."""
    most = service.limits.body
    options = [
        ("grpc.max_receive_message_length", most),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.server(ThreadPoolExecutor(WORKERS), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Predictions(service), server)
    try:
        return server, server.add_insecure_port(address)
    except RuntimeError as error:
        raise UserError(f"{address} can't be listened on: name a free port with --grpc-port") from error


class Predictions(prediction_service_pb2_grpc.PredictionServiceServicer):  # type: ignore[misc]
    """The calls; those that Hi-CMD has no use for (Classify, Regress ..) answer UNIMPLEMENTED."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's name)
        """Outputs of a signature; output_filter chooses among them."""
        return _answered(context, lambda: self._predict(request, context.time_remaining()))

    def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The signatures."""
        return _answered(context, lambda: self._metadata(request))

    def _predict(self, request: Any, left: float | None) -> Any:
        service, spec = self._service, request.model_spec
        service.find(spec.name, spec.version.value if spec.HasField("version") else None)
        seconds = service.limits.seconds if left is None else min(service.limits.seconds, left)
        deadline = time.monotonic() + seconds
        signature = spec.signature_name or DEFAULT
        future = None
        try:
            inputs = {name: _array(name, value) for name, value in request.inputs.items() if _in_time(deadline)}
            future = service.submit(signature, inputs, _in_time(deadline))
            outputs = future.result(deadline - time.monotonic())
        except TooLate as error:
            if future is not None:
                future.cancel()  # what nobody waits for is not computed
            raise Failure(Kind.LATE, f"no answer within {seconds:.3g} seconds") from error
        unknown = [name for name in request.output_filter if name not in outputs]
        if unknown:
            raise Failure(Kind.INVALID, f"there is no output {unknown[0]!r}, expected {', '.join(outputs)}")
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(self._spec(signature))
        for name in request.output_filter or outputs:
            response.outputs[name].CopyFrom(tf.make_tensor_proto(outputs[name]))
        return response

    def _metadata(self, request: Any) -> Any:
        spec = request.model_spec
        self._service.find(spec.name, spec.version.value if spec.HasField("version") else None)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in self._service.servable.signature_defs.items():
            signatures.signature_def[name].CopyFrom(definition)
        packed = AnyMessage()
        packed.Pack(signatures)
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=self._spec(""))
        response.metadata["signature_def"].CopyFrom(packed)
        return response

    def _spec(self, signature: str) -> Any:
        from tensorflow_serving.apis.model_pb2 import ModelSpec

        spec = ModelSpec(name=self._service.servable.name, signature_name=signature)
        spec.version.value = self._service.servable.version
        return spec


def _array(name: str, value: Any) -> Any:
    try:
        return tf.make_ndarray(value)
    except (TypeError, ValueError) as error:
        raise Failure(Kind.INVALID, f"{name} is no tensor ({str(error)[:100]})") from error


def _in_time(deadline: float) -> float:
    """Seconds that are left. Raises TooLate when none are."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TooLate
    return left


def _answered(context: Any, call: Any) -> Any:
    """A call's answer, or its failure as a status of the protocol."""
    try:
        return call()
    except Failure as failure:
        context.abort(getattr(grpc.StatusCode, failure.kind.value[1]), str(failure))
