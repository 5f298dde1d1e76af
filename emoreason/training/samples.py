"""What the model writes to a few validation prompts, before a stage and after it."""

import json
from dataclasses import replace

from emoreason.model.engines.transformers import TransformersEngine
from emoreason.training.page import Sample
from emoreason.training.sft import TuningSetup

COUNT, MOST_TOKENS = 6, 90
FILE = "samples.json"


class Samples:
    """The first question of a few validation conversations. What was written before the stage survives an interruption."""

    def __init__(self, stage: TuningSetup):
        self.stage, self.file = stage, stage.out / stage.name / FILE

    def write(self, when: str) -> list[Sample]:
        """Answer the prompts now; when: "before" (kept if it was done) or "after". Returns the pairs."""
        told = json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else {}
        if when not in told or when == "after":
            told[when] = self._answers()
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.write_text(json.dumps(told, indent=1), encoding="utf-8")
        before = [row["said"] for row in told.get("before", [])]
        after = [row["said"] for row in told.get("after", [])]
        rows = zip(told[when], before, after or [""] * len(before), strict=True)
        return [Sample(row["prompt"], row["wanted"], was, now) for row, was, now in rows]

    def _answers(self) -> list[dict[str, str]]:
        """Greedy, of the conversations' first questions."""
        stage, out = self.stage, []
        stage.features.prepare(stage.conversations("valid").places())
        some = _spread([example for _, example in stage.validation(2)], COUNT)
        engine = TransformersEngine(stage.model.eval(), stage.processor.tokenizer)
        for example in some:
            turns = example.inputs.turns
            question, wanted = turns[0] if turns else (example.inputs.question, example.answer)
            asked = replace(example.inputs, question=question, turns=())
            prompt = engine.read(stage.processor([asked]))
            said = engine.write(prompt, MOST_TOKENS, until_answer=False)[0]
            text = "".join(piece for piece, _ in stage.processor.pieces(asked, soft=False))
            out.append({"prompt": text, "wanted": wanted, "said": said.strip()})
        return out


def _spread(items: list, count: int) -> list:
    return items[:: max(len(items) // count, 1)][:count]
