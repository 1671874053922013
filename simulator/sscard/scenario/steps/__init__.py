"""The verbs of the scenario language: one class each, in modules by what they act on."""
