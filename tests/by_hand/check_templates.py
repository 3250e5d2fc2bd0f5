"""Read, draw and convert every workflow of a folder: nothing may crash, and no widget, link or group may be lost.

python tests/by_hand/check_templates.py FOLDER [--definitions object_info.json] [--converted FOLDER]

FOLDER: UI workflows, such as those of the PyPI package comfyui-workflow-templates-json. object_info.json: what
/object_info of a running ComfyUI answers. --converted: what ComfyUI's own page made of the same files (its
`app.graphToPrompt()`, one {"output": ...} for each), to be compared with `to_api`.
"""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from course_lib.messages import LessonError, set_language
from course_lib.workflow import draw, read
from course_lib.workflow.graph import Workflow
from course_lib.workflow.node_types import read_types


def list_levels(page):
    """Return a page's graph and those of its subgraphs."""
    return [page, *(page.get("definitions") or {}).get("subgraphs", [])]


def find_losses(given, written):
    """Say what of a page's nodes, values, links and groups is not in what was written again."""
    losses = []
    for old, new in zip(list_levels(given), list_levels(written), strict=True):
        nodes = {node["id"]: node for node in new["nodes"]}
        for node in old["nodes"]:
            again = nodes.get(node["id"])
            if again is None:
                losses.append(f"node {node['id']}")
            elif (node.get("widgets_values") or []) != (again.get("widgets_values") or []):
                losses.append(f"values of node {node['id']} ({node['type']})")
            elif [plain(node.get(key)) for key in KEPT] != [again.get(key) for key in KEPT]:
                losses.append(f"look of node {node['id']} ({node['type']})")
        losses += [f"link {link}" for link in list_links(old) - list_links(new)]
        if [group["bounding"] for group in old.get("groups", [])] != [group["bounding"] for group in new["groups"]]:
            losses.append("groups")
    return losses


def plain(value):
    """Return a place or size as a list, where older pages wrote {"0": ..., "1": ...}."""
    return [*value.values()] if isinstance(value, dict) and [*value] == ["0", "1"] else value


KEPT = ("type", "title", "mode", "pos", "size", "color", "bgcolor", "flags", "properties")


def list_links(level):
    """Return both ends of the links of a page that an input or a subgraph's output names as its own."""
    used = {socket.get("link") for node in level["nodes"] for socket in node.get("inputs") or []}
    rows = [link if isinstance(link, list) else [link[key] for key in
            ("id", "origin_id", "origin_slot", "target_id", "target_slot")] for link in level.get("links", [])]
    return {tuple(row[1:5]) for row in rows if row[0] in used or row[3] == -20}


def compare(ours, theirs, types):
    """Say where the server's form differs from the one that ComfyUI's page made.

    A value that no definition names is a widget of the page alone, such as a player; the server ignores it.
    """
    found = []
    for number in sorted(set(ours) | set(theirs)):
        if number not in ours or number not in theirs:
            found.append(f"{number}: only {'theirs' if number in theirs else 'ours'} "
                         f"({(theirs.get(number) or ours.get(number))['class_type']})")
            continue
        mine, other = ours[number]["inputs"], theirs[number]["inputs"]
        found += [f"{number} ({ours[number]['class_type']}).{name}: {mine.get(name)!r}, theirs {other.get(name)!r}"
                  for name in sorted(set(mine) | set(other) & set(types[ours[number]["class_type"]].inputs))
                  if mine.get(name) != other.get(name)]
        if ours[number]["class_type"] != theirs[number]["class_type"]:
            found.append(f"{number}: class")
    return found


def check(path, definitions, converted, counts):
    """Check one file; return what is wrong with it."""
    given = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(given, dict) or "nodes" not in given:
        return []
    workflow = read(path, definitions)
    counts["files"] += 1
    counts["nodes"] += sum(len(graph.nodes) for _, graph in workflow.walk())
    counts["with subgraphs"] += bool(workflow.subgraphs)
    wrong = [f"read: {problem}" for problem in workflow.problems]
    for part in (None, *workflow.subgraphs):
        ElementTree.fromstring(draw(workflow, part).svg)
        counts["drawings"] += 1
    wrong += find_losses(given, workflow.to_ui())
    again = read(workflow.to_ui(), definitions)
    wrong += [f"read again: {key}" for key in ("nodes", "groups") if getattr(again, key) != getattr(workflow, key)]
    try:
        api = workflow.to_api()
    except LessonError as problem:
        counts["not converted"] += 1
        print(f"{path.name}: {problem.why}")
        return wrong
    counts["converted"] += 1
    read(read(api, definitions).to_ui(), definitions)
    if converted and (converted / path.name).exists():
        wrong += check_converted(path, workflow, api, json.loads((converted / path.name).read_text()), counts)
    return wrong


def check_converted(path, workflow: Workflow, api, page, counts):
    """Compare with ComfyUI's page where it knows every class of the workflow."""
    if not page.get("output") or any(node["class_type"] not in workflow.types for node in api.values()):
        counts["unknown to the page"] += 1
        return []
    counts["compared"] += 1
    differences = compare(api, page["output"], workflow.types)
    counts["equal"] += not differences
    return [f"api: {difference}" for difference in differences]


def main():
    """Check a folder and print the counts; exit with 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--definitions", type=Path)
    parser.add_argument("--converted", type=Path)
    options = parser.parse_args()
    set_language("en")
    definitions = read_types(json.loads(options.definitions.read_text(encoding="utf-8")) if options.definitions else {})
    counts, bad = Counter(), 0
    for path in sorted(options.folder.glob("*.json")):
        wrong = check(path, definitions, options.converted, counts)
        bad += bool(wrong)
        for line in wrong[:6]:
            print(f"{path.name}: {line[:400]}")
    print(", ".join(f"{name}: {count}" for name, count in counts.items()) + f"; files with something wrong: {bad}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
