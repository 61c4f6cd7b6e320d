"""Fine-tuning and extraction as the paper describes them, plainly: whole arrays in memory, batches of 8."""

import io

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision.models import ResNet18_Weights, resnet18

BATCH = 8


def array(posters: list[bytes]) -> torch.Tensor:
    """All posters as torchvision's own transforms make them: float32 of shape (n, 3, 224, 224)."""
    transform = ResNet18_Weights.IMAGENET1K_V1.transforms()
    return torch.stack([transform(Image.open(io.BytesIO(poster)).convert("RGB")) for poster in posters])


def network(weights: dict, classes: int) -> nn.Module:
    """ResNet-18 with a new last layer."""
    model = resnet18()
    model.load_state_dict(weights)
    model.fc = nn.Linear(512, classes)
    return model


def finetune(network: nn.Module, X: torch.Tensor, y: torch.Tensor, epochs: int) -> None:
    """Train all weights."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.001, momentum=0.9)
    loss = nn.CrossEntropyLoss(weight=1 - torch.bincount(y) / len(y))
    network.train()
    for _ in range(epochs):
        for places in torch.randperm(len(X)).split(BATCH):
            optimizer.zero_grad()
            loss(network(X[places]), y[places]).backward()
            optimizer.step()


def features(network: nn.Module, X: torch.Tensor) -> np.ndarray:
    """The 512 values before the last layer."""
    network.fc = nn.Identity()
    network.eval()
    with torch.no_grad():
        return torch.cat([network(batch) for batch in X.split(BATCH)]).numpy()
