"""``backends``: list the installed backends."""

from __future__ import annotations

from typing import Any

from napari_medvlm.cli.options import AsJson
from napari_medvlm.cli.output import print_result, report_errors
from napari_medvlm.data.errors import MedVLMError


def backends(as_json: AsJson = False) -> None:
    """List all backends with their licences and environments, and why one is not available."""
    from napari_medvlm.backends import registry
    from napari_medvlm.worker.environments import Environments

    with report_errors():
        environments = Environments.load()
    summaries = {
        name: {
            "title": info.title,
            "tasks": sorted(info.tasks),
            "prompts": sorted(kind.label for kind in info.prompts),
            "code_licence": info.code_licence,
            "weights_licence": info.weights_licence,
            **_environment(environments, name),
        }
        for name in registry.names()
        for info in [registry.info(name)]
    }
    broken = dict(registry.problems())
    for name in environments.entries.keys() - summaries.keys() - broken.keys():
        broken[name] = f"Listed in {environments.path}, but not installed."
    lines = [_backend_line(name, i) for name, i in summaries.items()]
    lines += [f"{name}: unavailable. {reason}" for name, reason in broken.items()]
    print_result({"backends": summaries, "broken": broken}, as_json, lambda: "\n".join(lines))


def _environment(environments: Any, name: str) -> dict[str, str | None]:
    """Return the Python of a backend's own environment, and why the backend cannot be used."""
    from napari_medvlm.worker.environments import obstacle

    try:
        environments.check(name)
        problem = obstacle(name)
    except MedVLMError as error:
        problem = str(error)
    if problem is not None:
        return {"python": None, "problem": problem}
    python = environments.python_of(name) if name in environments.entries else None
    return {"python": python, "problem": None}


def _backend_line(name: str, info: dict[str, Any]) -> str:
    licences = f"code {info['code_licence']}, weights {info['weights_licence']}"
    line = f"{name}: {info['title']} ({licences})"
    if info["problem"]:
        return f"{line}; unavailable. {info['problem']}"
    return f"{line}; runs in {info['python']}" if info["python"] else line
