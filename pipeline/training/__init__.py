"""Fine-tunes an image classifier with checkpoints made to be looked at, and looks on at other
trainings. Knows no review."""
