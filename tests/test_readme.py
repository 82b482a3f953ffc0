"""The README is what a newcomer types and where they look: it must be true."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_every_folder_of_the_map_exists_and_every_package_is_on_the_map() -> None:
    on_map = _map()
    assert len(on_map) > 15
    missing = [path for path in on_map if not (ROOT / path).is_dir()]
    packages = {str(file.parent.relative_to(ROOT)) for file in ROOT.glob("include/*/__init__.py")}
    packages |= {str(file.parent.relative_to(ROOT)) for file in ROOT.glob("include/custody/*/__init__.py")}
    assert missing == []
    assert packages - on_map == set()


def test_every_make_target_of_the_readme_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)\b", README))
    assert {"demo", "test"} <= named <= targets


def test_every_variable_of_make_demo_in_the_readme_is_passed_on() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"\b([A-Z][A-Z_]+)=", README)) - {"CUSTODY_HOME", "PYTHON"}
    assert {"ONCE", "AMAZON", "SELLERS"} <= named
    assert {name for name in named if f"$({name})" not in makefile} == set()


def test_every_link_to_a_file_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_command_of_the_readme_is_a_command_of_custody() -> None:
    listed = subprocess.run(
        [Path(sys.executable).with_name("custody"), "--help"], capture_output=True, text=True, check=True
    ).stdout
    named = set(re.findall(r"`custody ([a-z]+)", README + (ROOT / "CHANGELOG.md").read_text()))
    assert named
    assert {name for name in named if not re.search(rf"\b{name}\b", listed)} == set()


def _map() -> set[str]:
    """Give the folders of the map as paths, from the indentation of its lines."""
    block = README.split("## Map")[1].split("```")[1]
    found, parents = set(), {0: ""}
    for line in block.strip().splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0].rstrip("/")
        path = f"{parents[depth]}{name}"
        parents[depth + 1] = f"{path}/"
        found.add(path)
    return found
