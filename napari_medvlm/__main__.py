"""``python -m napari_medvlm``: the command line."""

from napari_medvlm.cli import app

if __name__ == "__main__":
    app(prog_name="napari-medvlm")
