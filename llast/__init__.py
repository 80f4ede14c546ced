"""LLaST: speech-to-text translation with a Whisper encoder and an LLM (arXiv 2407.15415)."""

__version__ = "0.1.0"
