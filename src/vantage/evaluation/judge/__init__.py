"""Verdicts on free answers: by a language model behind an OpenAI-compatible address, or by rules."""
