"""What can be said: emotions, action units, voice cues, crosswalks. No torch, no I/O."""
