"""Write the app of Home Assistant into a folder: a repository that Home Assistant can use, with one app.

The folder ``facegate`` in it can also be copied into the folder ``addons`` of Home Assistant, as a local app.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from gateway import __version__
from gateway.integrations.homeassistant.app_options import OPTIONS

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "config" / "homeassistant_app"
GUIDE = ROOT / "docs" / "how-to" / "home-assistant-app.md"

TRIM = ROOT / "scripts" / "trim_installation.py"

COPIED = ("README.md", "icon.png", "logo.png")

REST_PORT_TEXT = "REST for programs outside of Home Assistant. They need a token from the view Tokens of the console."


def make_config(image: str | None = None) -> dict[str, Any]:
    """Return the content of ``config.yaml``. ``image``: the published image. None: the supervisor builds it."""
    config = yaml.safe_load((SOURCE / "app.yaml").read_text())
    config["version"] = __version__
    config["options"] = {each.name: each.default for each in OPTIONS if each.default is not None}
    config["schema"] = {each.name: each.form for each in OPTIONS}
    return config if image is None else {**config, "image": image}


def make_translation() -> dict[str, Any]:
    """Return the content of ``translations/en.yaml``."""
    texts = {each.name: {"name": each.title, "description": each.text} for each in OPTIONS}
    return {"configuration": texts, "network": {"5001/tcp": REST_PORT_TEXT}}


def make_guide() -> str:
    """Return the guide as Home Assistant shows it: links to other pages of the documentation lead nowhere there."""
    return re.sub(r"!?\[([^]]*)]\((?!https?:)[^)]*\)", r"\1", GUIDE.read_text())


def write_app(folder: Path, wheel: Path | None, image: str | None = None, repository: str | None = None) -> Path:
    """Write the repository, and return the folder of the app in it.

    ``wheel``: with it the supervisor builds the image. ``image``: with it the supervisor downloads the image.
    """
    app = folder / "facegate"
    shutil.rmtree(app, ignore_errors=True)
    (app / "translations").mkdir(parents=True)
    about = {"name": "Facegate", **({"url": repository} if repository else {})}
    _write(folder / "repository.yaml", about)
    _write(app / "config.yaml", make_config(image))
    _write(app / "translations" / "en.yaml", make_translation())
    (app / "DOCS.md").write_text(make_guide())
    for name in COPIED:
        shutil.copy(SOURCE / name, app)
    shutil.copy(ROOT / "CHANGELOG.md", app)
    if wheel is not None:
        shutil.copy(SOURCE / "Dockerfile", app)
        shutil.copy(TRIM, app)
        shutil.copy(wheel, app)
        (app / "requirements.txt").write_text(_requirements())
    return app


def _requirements() -> str:
    """Return the packages of the gateway with their digests, as uv.lock has them."""
    command = ["export", "--frozen", "--no-default-groups", "--no-emit-project", "--no-header", "--quiet"]
    return _uv(*command).stdout


def _build_wheel(folder: Path) -> Path:
    """Build the wheel of this checkout, and return it."""
    _uv("build", "--wheel", "--quiet", "--out-dir", str(folder))
    return next(folder.glob(f"facegate-{__version__}-*.whl"))


def _uv(*arguments: str) -> subprocess.CompletedProcess[str]:
    uv = Path(sys.executable).with_name("uv")
    return subprocess.run([str(uv), *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=110))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "dist" / "home-assistant", help="the folder to write")
    parser.add_argument("--wheel", type=Path, help="the wheel of this version; by default it is built")
    parser.add_argument("--image", help="the published image, without its tag: then no wheel is needed")
    parser.add_argument("--repository", help="the address of the repository, for its page in Home Assistant")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    wheel = None if arguments.image else arguments.wheel or _build_wheel(ROOT / "dist")
    app = write_app(arguments.out, wheel, arguments.image, arguments.repository)
    print(f"The app is written: {os.path.relpath(app)}")


if __name__ == "__main__":
    main()
