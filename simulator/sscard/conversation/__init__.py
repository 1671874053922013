"""Analysis of exchanged bytes: recorder, explanations, redaction, recordings, scripts, replay."""

from sscard.conversation.recorder import Event, Exchange, PowerEvent, Recorder

__all__ = ["Event", "Exchange", "PowerEvent", "Recorder"]
