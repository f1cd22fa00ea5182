"""What all reports share: the page, pictures with boxes, numbers."""

from __future__ import annotations

import base64
import io
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from napari_medvlm.data.colors import DETECTED, TRUTH
from napari_medvlm.data.errors import BackendUnavailable
from napari_medvlm.data.geometry.grid import FloatArray
from napari_medvlm.data.prompts import Box
from napari_medvlm.data.region import SliceRef
from napari_medvlm.data.slice_image import picture_of
from napari_medvlm.data.volume import Volume
from napari_medvlm.evaluation.plots.figure_files import svg
from napari_medvlm.evaluation.runs.run_folder import read_json, write_text
from napari_medvlm.settings.shell import quoted

CALIBRATION = "calibration.json"
"""What a curve came to that was fitted on a run, see `calibrating`."""
COMMANDS = "Commands are for the folder of this report."
WORST = 8
"""How many cases are shown as pictures."""
SMALL_P = 0.001
NONE = "–"  # noqa: RUF001
"""Stands where there is no value."""
Corners = tuple[Sequence[float], Sequence[float]]
"""Half-open index box ``(z, y, x)``: lowest and highest."""


def require_libraries(*names: str) -> None:
    """Raise `BackendUnavailable` unless all that an evaluation needs is installed."""
    missing = [name for name in ("jinja2", "matplotlib", *names) if find_spec(name) is None]
    if missing:
        raise BackendUnavailable(
            f"An evaluation needs {', '.join(missing)}, which is not installed.",
            f'Install it with: {sys.executable} -m pip install "napari-medvlm[evaluate]"',
        )


def write_page(
    out: Path, template: str, content: Mapping[str, Any], name: str = "report.html"
) -> Path:
    """Write a page from a template of this package; its path."""
    import jinja2

    folder = resources.files("napari_medvlm.evaluation")
    loader = jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8"))
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=loader
    )
    environment.filters |= FILTERS
    calibration = read_json(out / CALIBRATION)
    shared = {
        "calibration": calibration,
        "calibrated": "" if calibration is None else _calibrated(calibration),
        "commands": COMMANDS,
        "created": datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
    }
    path = out / name
    write_text(path, _with_contents(environment.get_template(template).render(**shared, **content)))
    return path


def open_command(case: str, what: str) -> str:
    """The shell command that opens a case in napari, in the folder of the run."""
    return "napari-medvlm evaluate open . " + " ".join(map(quoted, filter(None, (case, what))))


def _with_contents(page: str) -> str:
    """A page with an anchor at each heading, and a table of contents of them."""
    titles: list[str] = []

    def with_anchor(heading: re.Match[str]) -> str:
        titles.append(heading[1])
        return f'<h2 id="section-{len(titles)}">{heading[1]}</h2>'

    page = re.sub("<h2>(.*?)</h2>", with_anchor, page)
    items = (f'<li><a href="#section-{n}">{t}</a></li>' for n, t in enumerate(titles, 1))
    return page.replace("<!--contents-->", "".join(items), 1)


def figure(value: float | None, digits: int = 3) -> str:
    """A number for people; what rounds to zero has no sign."""
    return NONE if value is None else f"{value:z.{digits}f}"


def percent(value: float | None) -> str:
    """A share for people."""
    return NONE if value is None else f"{100 * value:z.1f} %"


def span(ends: Sequence[float] | None, digits: int = 3) -> str:
    """A confidence interval for people; nothing where there is none."""
    return "" if not ends else f"{figure(ends[0], digits)} to {figure(ends[1], digits)}"


def percent_span(ends: Sequence[float] | None) -> str:
    """A confidence interval of a share, for people."""
    return "" if not ends else f"{100 * ends[0]:z.0f} to {100 * ends[1]:z.0f} %"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference for people, with its sign; what rounds to zero has none."""
    if value is None:
        return NONE
    text = f"{value:+z.{digits}f}"
    return text if float(text) else text.removeprefix("+")


def signed_span(ends: Sequence[float | None], digits: int = 3) -> str:
    """The confidence interval of a difference, for people; nothing where there is none."""
    low, high = ends
    known = low is not None and high is not None
    return f"{signed(low, digits)} to {signed(high, digits)}" if known else ""


def pvalue(value: float | None) -> str:
    """A p-value for people."""
    if value is None:
        return NONE
    return "< 0.001" if value < SMALL_P else f"{value:.3f}"


def setting(value: object) -> str:
    """The value of a setting, for people."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or NONE
    return NONE if value is None or value == "" else str(value)


FILTERS: dict[str, Callable[..., str]] = {
    "figure": figure, "percent": percent, "span": span, "percent_span": percent_span,
    "setting": setting, "signed": signed, "signed_span": signed_span, "pvalue": pvalue,
}  # fmt: skip
"""What the pages of reports write numbers with."""


def boxed(volume: Volume, wanted: Sequence[Corners], detected: Sequence[Corners]) -> str:
    """Pictures of the slices through the middle of the first box wanted and the first one found.

    One picture where both are the same slice. Base64 of a PNG.
    """
    from matplotlib.figure import Figure

    slices = dict.fromkeys(_through(corners, volume) for corners in (*wanted[:1], *detected[:1]))
    slice_indices = list(slices) or [volume.shape[0] // 2]
    large = len(slice_indices)  # side by side they are shown smaller
    page = Figure(
        figsize=(4.5 * len(slice_indices), 4.2), dpi=100, facecolor="black", layout="compressed"
    )
    for axes, index in zip(
        page.subplots(1, len(slice_indices), squeeze=False)[0], slice_indices, strict=True
    ):
        image = picture_of(volume, SliceRef(0, index))
        axes.imshow(image.pixels)
        for boxes, color, style in ((wanted, TRUTH, "solid"), (detected, DETECTED, "dashed")):
            for low, high in boxes:
                if low[0] < index + 1 and high[0] > index:
                    corners = image.pixel_of(_corners(volume, low, high)) - 0.5
                    axes.add_patch(_outline(corners, color, style, 1.8 * large))
        axes.set_title(slice_title(index, volume.shape[0]), color="white", fontsize=9 * large)
        axes.set_axis_off()
    file = io.BytesIO()
    page.savefig(file, format="png", facecolor="black")
    return base64.b64encode(file.getvalue()).decode("ascii")


def _calibrated(calibration: Mapping[str, Any]) -> str:
    """The reliability diagram before and after, as SVG."""

    def draw(page: Any) -> None:
        axes = page.subplots()
        axes.plot([0, 1], [0, 1], color="#999", linestyle="dotted")
        for key, color in (("before", DETECTED), ("after", TRUTH)):
            bins = calibration[key]
            x, y = [bin_row["stated"] for bin_row in bins], [bin_row["right"] for bin_row in bins]
            axes.plot(x, y, marker="o", ms=5, color=color, label=key)
        axes.set(xlabel="confidence", ylabel="share that is right", title="Reliability",
                  xlim=(0, 1.02), ylim=(0, 1.02))  # fmt: skip
        page.legend(loc="outside right upper")
        axes.grid(alpha=0.3)

    return svg(draw, (6, 4.2))


def slice_title(index: int, count: int) -> str:
    """The number of a slice in a stack, counted from 1; empty for a single picture."""
    return f"slice {index + 1} of {count}" if count > 1 else ""


def _through(corners: Corners, volume: Volume) -> int:
    """The slice through the middle of a box, within the image."""
    middle = int((corners[0][0] + corners[1][0]) // 2)
    return min(max(middle, 0), volume.shape[0] - 1)


def _corners(volume: Volume, low: Sequence[float], high: Sequence[float]) -> FloatArray:
    return Box.at_index(volume, low, high).corners()


def _outline(xy: FloatArray, color: str, style: str, width: float) -> Any:
    from matplotlib.patches import Rectangle

    (x0, y0), (x1, y1) = xy.min(axis=0), xy.max(axis=0)
    return Rectangle(
        (x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=color, linestyle=style, linewidth=width
    )
