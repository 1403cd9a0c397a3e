"""Reads messages of OTLP with the classes that OpenTelemetry publishes: a folder of files NAME.traces and
NAME.metrics in, one JSON object a line out, in the order of their names. Unknown fields are a mistake."""
import json
import pathlib
import sys

from google.protobuf import json_format, unknown_fields
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {".traces": ExportTraceServiceRequest, ".metrics": ExportMetricsServiceRequest}


def check_known(message):
    assert not unknown_fields.UnknownFieldSet(message), f"unknown fields in {message.DESCRIPTOR.name}"
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if field.is_repeated else [value]:
                check_known(one)


for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    request = KINDS[path.suffix].FromString(path.read_bytes())
    check_known(request)
    print(json.dumps(json_format.MessageToDict(request)))
