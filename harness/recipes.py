"""Named training recipes: the values a suite's `recipe: NAME` stands for, each with its source.

A suite may override any of them (`recipe.epochs: 30`). Epochs, milestones and warm-up are in epochs over the training
split (after `data.fraction`), rates are for the stated global batch.
"""

from typing import Any

_JITTER = [256 / 224, 320 / 224]
"""A short side drawn from 256 to 320 for a crop of 224."""
_CONVOLUTIONAL: dict[str, Any] = {
    "optimizer": "sgd",
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay_on": "matrices",  # batch norms are not decayed (BN.WEIGHT_DECAY), and convolutions have no biases
    "batch_size": 64,
    "flip": True,
}
_XVIT: dict[str, Any] = {
    "optimizer": "sgd",
    "learning_rate": 0.03,
    "momentum": 0.9,
    "weight_decay_on": "all",
    "schedule": "cosine",
    "warmup_epochs": 5,
    "warmup_start": 0.01,
    "batch_size": 64,
    "augment": "auto",
    "jitter": _JITTER,
    "flip": True,
}

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
        "jitter": _JITTER,
        "flip": True,
    },
    # facebookresearch/SlowFast, configs/Kinetics/SLOWFAST_8x8_R50.yaml: from scratch.
    "slowfast": {
        **_CONVOLUTIONAL,
        "learning_rate": 0.1,
        "weight_decay": 1e-4,
        "schedule": "cosine",
        "warmup_epochs": 34,
        "warmup_start": 0.01,
        "epochs": 196,
        "jitter": _JITTER,
    },
    # The same, configs/Kinetics/I3D_8x8_R50_IN1K.yaml: from image weights.
    "i3d_imagenet": {
        **_CONVOLUTIONAL,
        "learning_rate": 0.01,
        "weight_decay": 1e-4,
        "schedule": "steps",
        "milestones": [44, 88],
        "epochs": 118,
        "jitter": _JITTER,
    },
    # The same, configs/Kinetics/X3D_L.yaml: short sides of 356 to 446 for a crop of 312.
    "x3d": {
        **_CONVOLUTIONAL,
        "learning_rate": 0.05,
        "weight_decay": 5e-5,
        "schedule": "cosine",
        "warmup_epochs": 35,
        "warmup_start": 0.01,
        "epochs": 256,
        "jitter": [356 / 312, 446 / 312],
    },
    # 1adrianb/video-transformers, configs/Kinetics/xvit_B16_16x16_k400.yaml.
    "xvit": {**_XVIT, "weight_decay": 1e-5, "epochs": 30, "label_smoothing": 0.3, "mixup": 0.4},
    # The same, configs/SSv2.
    "xvit_ssv2": {**_XVIT, "weight_decay": 1e-4, "epochs": 35, "warmup_start": 0.003, "random_erasing": 0.5},
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
