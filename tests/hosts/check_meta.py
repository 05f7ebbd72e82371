#!/usr/bin/env python3
"""Does gwflux_ccpp.meta say what gwflux_ccpp.f90 is?

Every phase has a table with the arguments of its subroutine, in their order, with the same intent,
type and rank; every entry has what CCPP asks for; the run phase has no dimension of the whole rank
and calls nothing of gwflux. Argument: the folder of both.
"""
import re
import sys
from pathlib import Path

folder = Path(sys.argv[1])
source = re.sub(r"&\s*\n\s*", " ", re.sub(r"!.*", "", (folder / "gwflux_ccpp.f90").read_text()))
meta = (folder / "gwflux_ccpp.meta").read_text()
faults = []


def expect(what, meta_has, source_has):
    if meta_has != source_has:
        faults.append(f"{what}: the metadata have {meta_has}, the source has {source_has}")


def declarations(body):
    """name: (type, intent, rank), as declared."""
    found = {}
    for kind, intent, names in re.findall(r"^\s*(\w+)(?:\([^)]*\))?, intent\((\w+)\) :: (.+)$", body, re.M):
        for name, shape in re.findall(r"(\w+)(\([^)]*\))?", names):
            found[name] = (kind, intent, shape.count(":"))
    return found


def entries(table):
    """(name, {attribute: value}) of a table's arguments."""
    parts = re.split(r"^\[(\w+)\]\n", table, flags=re.M)[1:]
    return [(name, dict(re.findall(r"^\s+(\w+) = (.*)$", text, re.M))) for name, text in zip(parts[::2], parts[1::2])]


tables = {re.search(r"name = (\w+)", t).group(1): t for t in re.split(r"\[ccpp-arg-table\]", meta)[1:]}
phases = re.findall(r"subroutine (gwflux_ccpp_\w+)\((.*?)\)(.*?)end subroutine", source, re.S)
expect("phases", sorted(tables), sorted(name for name, _, _ in phases))
count = 0
for phase, arguments, body in phases:
    declared = declarations(body)
    table = entries(tables.get(phase, ""))
    expect(f"arguments of {phase}", [n for n, _ in table], re.findall(r"\w+", arguments))
    for name, has in table:
        count += 1
        where = f"{phase}, {name}"
        missing = {"standard_name", "long_name", "units", "dimensions", "type", "intent"} - set(has)
        if missing:
            faults.append(f"{where}: without {sorted(missing)}")
            continue
        rank = len(re.findall(r"\w+", has["dimensions"]))
        expect(where, (has["type"], has["intent"], rank), declared.get(name))
        if has["type"] == "real" and has.get("kind") != "kind_phys":
            faults.append(f"{where}: reals of CCPP have kind kind_phys")
        whole = "horizontal_dimension" in has["dimensions"]
        if rank and whole == phase.endswith("_run"):
            faults.append(f"{where}: dimensions {has['dimensions']} in this phase")
    if phase.endswith("_run") and "plugin" in body:
        faults.append(f"{phase}: calls gwflux, which may send messages")
    names = [has.get("standard_name") for _, has in table]
    if names[-2:] != ["ccpp_error_message", "ccpp_error_code"] or len(names) != len(set(names)):
        faults.append(f"{phase}: standard names {names}")
for fault in faults:
    print(fault)
print(f"{len(phases)} phases, {count} arguments compared: {len(faults)} differences")
sys.exit(1 if faults or len(phases) < 4 else 0)
