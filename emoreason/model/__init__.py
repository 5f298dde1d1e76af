"""The model: face-region encoder and voice encoder feeding any LoRA-tuned vision-language backbone."""
