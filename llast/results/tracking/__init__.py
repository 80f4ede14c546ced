"""MLflow runs of experiments, made from the records that training and scoring leave on disk."""

import os

# MLflow reads these from the environment only. No usage data is sent from a cluster that nobody asked, and a server
# that is down is given up after about 15 s instead of 4 minutes: the records are on disk and go out with the next call.
for _name, _value in {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}.items():
    os.environ.setdefault(_name, _value)
