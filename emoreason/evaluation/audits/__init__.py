"""Audits: what a judge's answers depend on, where they break, for whom they are worse, and whether words can command them."""

from emoreason.evaluation.audits.run import KINDS, Audited, audit

__all__ = ["KINDS", "Audited", "audit"]
