"""Owns the commands that train: `finetune`, and `improve`, which trains twice. Knows how neither
is done."""
