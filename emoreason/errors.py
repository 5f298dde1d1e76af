"""The family of errors a user can meet. Every message is one line: what was received, why it cannot work, what to do."""


class EmoReasonError(Exception):
    """Base of all errors raised on purpose; the CLI prints its message without a traceback."""


class EnvironmentProblem(EmoReasonError):
    """The machine lacks something (a system library, an extra, a writable folder)."""


class AssetError(EmoReasonError):
    """A third-party weight is absent, damaged or could not be fetched."""


class ConfigError(EmoReasonError):
    """A configuration value or file cannot be used; the message names file, key and fix."""


class ContextError(EmoReasonError, ValueError):
    """A prompt is longer than the language model's context; the message shows the token arithmetic."""


class TrainingError(EmoReasonError):
    """A training cannot go on; the message says at which step and where what it failed on was saved."""
