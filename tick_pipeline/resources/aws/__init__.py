"""The adapters of the AWS deployment: Kinesis apart, which is in stream/, all that speaks to AWS."""
