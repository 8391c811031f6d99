"""Runs read: bounded questions, artifacts, studies, lineage."""
