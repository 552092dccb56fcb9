"""What users of MLflow and of tritonclient run, given the port and a CSV file. It prints each answer as JSON."""

import json
import sys

import numpy as np
import pandas as pd
import tritonclient.http as triton
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

port, path = sys.argv[1:]
frame = pd.read_csv(path)

server = ScoringServerClient("127.0.0.1", port)
server.wait_server_ready(timeout=30)
assert server.get_version()
print(server.invoke(frame).get_predictions()[0].to_json(orient="values"))
try:
    server.invoke(frame.assign(age="old"))
except Exception as error:
    print(json.dumps(str(error)))

client = triton.InferenceServerClient(f"127.0.0.1:{port}")
assert client.is_server_live()
assert client.is_server_ready()
assert client.is_model_ready("titanic", "1")
assert client.get_server_metadata()["name"] == "rowcast"
described = client.get_model_metadata("titanic")
assert not client.is_model_ready("titanik")

columns = []
for tensor in described["inputs"]:
    values = frame[tensor["name"]].to_numpy(triton.triton_to_np_dtype(tensor["datatype"])).reshape(-1, 1)
    columns.append(triton.InferInput(tensor["name"], list(values.shape), tensor["datatype"]))
    columns[-1].set_data_from_numpy(values, binary_data=False)
wanted = [triton.InferRequestedOutput("predict_proba"), triton.InferRequestedOutput("predict", binary_data=False)]
found = client.infer("titanic", columns, outputs=wanted, request_id="mine")
assert found.get_response()["id"] == "mine"
print(json.dumps(found.as_numpy("predict_proba").tolist()))

rows = frame.to_numpy(np.float64)
matrix = triton.InferInput("rows", list(rows.shape), "FP64").set_data_from_numpy(rows, binary_data=False)
print(json.dumps(client.infer("titanic", [matrix]).as_numpy("predict").ravel().tolist()))
for refused in (matrix.set_data_from_numpy(rows), triton.InferInput("rows", [1, 2], "FP64")):
    try:
        client.infer("titanic", [refused])
    except triton.InferenceServerException as error:
        print(json.dumps([error.status(), error.message()]))
