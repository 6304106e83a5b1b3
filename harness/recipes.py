"""Named training recipes: the values a suite's `recipe: NAME` stands for, each with its source.

A suite may override any of them (`recipe.epochs: 30`). Epochs, milestones and warm-up are in epochs over the training
split (after `data.fraction`), rates are for the stated global batch.
"""

from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    # "Is Space-Time Attention All You Need for Video Understanding?", appendix A: 15 epochs, 0.005 divided by 10 at
    # 11 and 14, batch 16, SGD with momentum 0.9, weight decay 1e-4 (on everything, as in the released code), short side
    # drawn from [256, 320] for a crop of 224. The released configurations say batch 64 instead; this is the paper's.
    "timesformer": {
        "optimizer": "sgd",
        "learning_rate": 0.005,
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "weight_decay_on": "all",
        "schedule": "steps",
        "milestones": [11, 14],
        "epochs": 15,
        "batch_size": 16,
        "jitter": [256 / 224, 320 / 224],
        "flip": True,
    },
    # Ours, for the embedded clips on two CPU cores: small models from scratch in about a minute. Chosen by what joint,
    # divided and axial attention need on the motion set; docs/demo_scale.md has the trials.
    "demo": {
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "weight_decay": 0.05,
        "weight_decay_on": "matrices",
        "schedule": "one_cycle",
        "warmup_epochs": 0.5,
        "epochs": 9,
        "batch_size": 16,
        "clip_grad_norm": 1.0,
        "jitter": [1.0, 1.125],
        "flip": True,
    },
}
