"""Settings of a deployment on AWS that nobody has: names as `terraform output` gives them."""

from __future__ import annotations

AWS_SETTINGS = {
    f"TICK_PIPELINE_{name}": value
    for name, value in {
        "DEPLOYMENT": "aws",
        "AWS_REGION": "us-east-1",
        "PROJECT": "tick-pipeline",
        "BUCKET": "tick-pipeline-000000000000-us-east-1",
        "STREAM": "tick-pipeline-ticks",
        "FIREHOSE_ICEBERG": "tick-pipeline-iceberg",
        "FIREHOSE_PARQUET": "tick-pipeline-parquet-projection",
        "GLUE_JOB_OHLC": "tick-pipeline-ohlc",
        "GLUE_JOB_ANOMALIES": "tick-pipeline-anomalies",
        "GLUE_JOB_ANOMALY_STREAM": "tick-pipeline-anomaly-stream",
        "ATHENA_WORKGROUP": "tick-pipeline-jobs",
        "SNS_TOPIC_ARN": "arn:aws:sns:us-east-1:000000000000:tick-pipeline-alerts",
    }.items()
}
