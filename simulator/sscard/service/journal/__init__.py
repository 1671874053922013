"""The journal (办件日志): every event of every case, in memory or in a database."""

from sscard.service.journal.memory import CaseArchived, Journal, JournalUnavailable, MemoryJournal, Overtaken

__all__ = ["CaseArchived", "Journal", "JournalUnavailable", "MemoryJournal", "Overtaken"]
