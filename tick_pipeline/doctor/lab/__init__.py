"""The failure lab: ways in which the pipeline breaks, in a HOME of their own, and the doctor who has to find each."""
