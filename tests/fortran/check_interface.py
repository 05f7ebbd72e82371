#!/usr/bin/env python3
"""Do src/gwflux.h and fortran_bindings/ say the same?

Every function of the header must be bound in gwflux_c.f90 with arguments of the same number, order
and kind, and be called by one of the other modules; every constant must have the same value and be
passed on by module gwflux; every struct must have the same members in the same order; the namelist
must have every option of the tables in src/core. Prints what differs; exit status 1 when something
does. Argument: the source folder.
"""
import re
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
BINDINGS = ROOT / "fortran_bindings"
MODULES = [p for p in sorted(BINDINGS.glob("gwflux*.[fF]90")) if p.name != "gwflux_c.f90"]
faults = []


def differ(what, c, fortran):
    if isinstance(c, list) and set(c) != set(fortran):
        c, fortran = [x for x in c if x not in fortran], [x for x in fortran if x not in c]
    if c != fortran:
        faults.append(f"{what}: the header has {c}, the module {fortran}")


# --- the header --------------------------------------------------------------------------------

header = re.sub(r"/\*.*?\*/", " ", (ROOT / "src/gwflux.h").read_text(), flags=re.S)
body = re.sub(r"\\\n", " ", header)
STRUCTS = {name: members for members, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", body, re.S)}
ENUMS = {name for _, name in re.findall(r"typedef enum \w+ \{(.*?)\} (\w+);", body, re.S)}


def c_kind(declaration):
    """What an argument, a result or a member is, in words that both languages know."""
    if "(*" in declaration:
        return "function"
    stars = declaration.count("*") + declaration.count("[")
    const = declaration.startswith("const ")
    name = re.sub(r"^const ", "", declaration).split("*")[0].split()[0]
    base = "int" if name in ENUMS else name
    if stars == 0:
        return base
    if base == "char" and const and stars == 1:
        return "text"
    if stars == 2:
        return "pointer to pointer"
    if base in ("int", "float", "double") or base in STRUCTS:
        return f"{base} {'in' if const else 'out'}"
    return "pointer"


def split_arguments(text):
    text = re.sub(r"void \(\*(\w+)\)\([^)]*\)", r"void (*\1)", " ".join(text.split()))
    return [] if text == "void" else [a.strip() for a in text.split(",")]


def argument_name(declaration):
    return re.findall(r"\w+", declaration)[-1]


def header_functions():
    found = {}
    for result, name, arguments in re.findall(r"GWF_API (.+?)\b(gwf_\w+)\((.*?)\);", body, re.S):
        arguments = split_arguments(arguments)
        found[name] = (c_kind(result.strip()), [(argument_name(a), c_kind(a)) for a in arguments])
    return found


def header_constants():
    found = {n: int(v) for n, v in re.findall(r"X\((GWF_\w+), (\d+),", body)}
    for inside, _ in re.findall(r"typedef enum \w+ \{(.*?)\} (\w+);", body, re.S):
        found.update({n: int(v) for n, v in re.findall(r"(GWF_\w+) = (\d+)", inside)})
    return found


def header_members(struct):
    members = []
    for line in STRUCTS[struct].split(";"):
        words = " ".join(line.split())
        if not words:
            continue
        kind = re.match(r"(const )?\w+ ", words).group(0)
        for declarator in words[len(kind):].split(","):
            star = "pointer" if "*" in declarator else None
            array = re.search(r"\[(\d+)\]", declarator)
            base = kind.strip().split()[-1]
            members.append((re.search(r"\w+", declarator).group(0),
                            star or ("int" if base in ENUMS else base) + (f"({array.group(1)})" if array else "")))
    return members


# --- the module --------------------------------------------------------------------------------

def without_comments(path):
    lines = [re.sub(r"^([^'!]*(?:'[^']*'[^'!]*)*)!.*", r"\1", line) for line in path.read_text().splitlines()]
    return re.sub(r"&\s*\n\s*&?", " ", "\n".join(lines))


module = without_comments(BINDINGS / "gwflux_c.f90")
FORTRAN = {"integer(c_int)": "int", "integer(c_long)": "long", "integer(c_intptr_t)": "ptrdiff_t",
           "real(c_double)": "double", "real(c_float)": "float", "type(c_ptr)": "pointer",
           "type(c_funptr)": "function", "character(kind=c_char)": "char"}


def fortran_declarations(text):
    """(name, type, attributes, array or '') of everything that is declared, in order."""
    found = []
    for kind, attributes, names in re.findall(r"^\s*((?:integer|real|type|character)\([\w=]+\))((?:, [^:]+)?) :: (.+)$",
                                              text, re.M):
        base = FORTRAN.get(kind) or re.match(r"type\((\w+)\)", kind).group(1)
        for name, array in re.findall(r"(\w+)(\([\d*]+\))?(?: *=[^,]*)?", names):
            found.append((name, base, attributes, array))
    return found


def fortran_kind(base, attributes, array):
    if "value" in attributes:
        return base
    if base == "char":
        return "text"
    if base == "pointer":
        return "pointer to pointer"
    return f"{base} {'in' if 'intent(in)' in attributes and 'intent(inout)' not in attributes else 'out'}"


def module_functions():
    found = {}
    pattern = r"(function|subroutine) \w+\(([^)]*)\)\s*bind\(C, name='(gwf_\w+)'\)(?:\s*result\((\w+)\))?(.*?)end \1"
    for sort, arguments, name, result, inside in re.findall(pattern, module, re.S):
        declared = {d[0]: d for d in fortran_declarations(inside)}
        kinds = []
        for argument in (a.strip() for a in arguments.split(",") if a.strip()):
            if argument not in declared:
                faults.append(f"{name}: argument {argument} has no declaration that is understood")
                continue
            kinds.append((argument, fortran_kind(*declared[argument][1:])))
        found[name] = (declared[result][1] if sort == "function" else "void", kinds)
    return found


def module_members(struct):
    inside = re.search(rf"type, bind\(C\) :: {struct}\n(.*?)end type", module, re.S)
    if not inside:
        faults.append(f"struct {struct}: not in the module")
        return []
    return [(name, base + array) for name, base, _, array in fortran_declarations(inside.group(1))]


# --- both --------------------------------------------------------------------------------------

def same_kind(c, fortran):
    """An optional array or struct may be a pointer on the Fortran side."""
    return c == fortran or (fortran == "pointer" and c.split()[0] in ("int", "float", "double") and " " in c)


def check_functions():
    c, f = header_functions(), module_functions()
    used = "\n".join(without_comments(p) for p in MODULES) + (BINDINGS / "gwflux_arrays.inc").read_text()
    differ("functions", sorted(set(c) - set(f)), [])
    differ("functions", [], sorted(set(f) - set(c)))
    for name in sorted(set(c) & set(f)):
        results = {"text": "pointer"}
        differ(f"result of {name}", results.get(c[name][0], c[name][0]), f[name][0])
        differ(f"number of arguments of {name}", len(c[name][1]), len(f[name][1]))
        for (c_name, c_is), (f_name, f_is) in zip(c[name][1], f[name][1]):
            differ(f"argument of {name}", c_name, f_name)
            if not same_kind(c_is, f_is):
                differ(f"argument {c_name} of {name}", c_is, f_is)
        if not re.search(rf"\bc_{name[4:]}\b", used):
            faults.append(f"{name}: bound, but no module calls it")
    return len(c)


def check_constants():
    c = header_constants()
    f = {n: int(v) for n, v in re.findall(r"integer, parameter :: (GWF_\w+) = (\d+)", module)}
    differ("constants", sorted(c.items()), sorted(f.items()))
    passed_on = without_comments(BINDINGS / "gwflux.f90")
    for name in c:
        if "REAL" not in name and not re.search(rf"\b{name}\b", passed_on):
            faults.append(f"{name}: module gwflux does not pass it on")
    return len(c)


def check_structs():
    for name in STRUCTS:
        differ(f"members of struct {name}", header_members(name), module_members(name))
    return len(STRUCTS)


def check_options():
    tables = "".join((ROOT / f"src/core/{t}_options.c").read_text() for t in ("engine", "plugin"))
    names = re.findall(r"^\s*\{\"([\w-]+)\", ", tables, re.M)
    source = without_comments(BINDINGS / "gwflux_options.f90")
    variables = re.findall(r"\w+", re.search(r"namelist /gwflux/ (.*)", source).group(1))
    differ("options of the namelist", sorted(n.replace("-", "_") for n in names), sorted(variables))
    taken = re.findall(r"call take\('([\w-]+)', \w+=(\w+)\)", source)
    differ("options taken from the namelist", sorted((n, n.replace("-", "_")) for n in names), sorted(taken))
    return len(names)


counts = (check_functions(), check_constants(), check_structs(), check_options())
for fault in faults:
    print(fault)
print("%d functions, %d constants, %d structs, %d options compared: %d differences" % (*counts, len(faults)))
if min(counts) < 3:
    sys.exit("too few: the header was not understood")
sys.exit(1 if faults else 0)
