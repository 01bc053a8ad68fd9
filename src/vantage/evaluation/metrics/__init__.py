"""Measures of one idea each: text, choices, numbers, boxes. They know nothing of benchmarks or files."""
