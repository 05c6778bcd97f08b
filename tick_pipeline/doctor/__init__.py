"""The doctor: four questions about a deployment, answered from facts, and a lab of failures that it must find."""
