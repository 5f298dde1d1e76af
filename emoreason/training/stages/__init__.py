"""Stages of a run: one class for each kind, all with the interface of stages.stage.Stage."""
