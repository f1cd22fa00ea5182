"""A small prompt network that was trained on synthetic volumes only, run by onnxruntime."""
