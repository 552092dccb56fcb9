"""The script that the user would have written: `python -m bench.script IN MODEL OUT joined|predictions`."""

import pickle
import sys
from pathlib import Path

import pandas as pd

source, model, sink, output = sys.argv[1:]
estimator = pickle.loads(Path(model).read_bytes())
table = pd.read_csv(source)
predictions = estimator.predict(table[list(estimator.feature_names_in_)])
if output == "joined":
    table["prediction"] = predictions
    table.to_csv(sink, index=False)
else:
    pd.DataFrame({"prediction": predictions}).to_csv(sink, index=False)
