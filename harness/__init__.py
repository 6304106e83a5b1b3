"""Turns a suite into records: suite schema, launching, the job, training, testing, profiling, and the command line."""
