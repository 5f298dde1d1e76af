"""The Gradio app: look at a clip, see who shows what and when, ask why. It calls EmotionReasoner and nothing else."""
