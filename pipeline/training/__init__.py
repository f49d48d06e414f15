"""Owns fine-tuning: its options, data, plan and log, the Trainer that saves checkpoints to look at,
and the callbacks that embed while another script trains. Knows no review."""
