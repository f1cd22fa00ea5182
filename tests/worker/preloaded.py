"""Import what most workers of tests import; nothing of it starts a thread."""

import peft  # noqa: F401
import scipy.ndimage
import scipy.sparse.csgraph  # noqa: F401
import SimpleITK  # noqa: F401
import skimage.graph
import skimage.measure
import skimage.segmentation  # noqa: F401
import torch
import torchvision  # noqa: F401
import transformers.models.auto.modeling_auto
import transformers.models.auto.processing_auto  # noqa: F401

import napari_medvlm.worker.host  # noqa: F401

torch.set_num_threads(1)
