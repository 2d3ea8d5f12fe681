# SPDX-License-Identifier: Apache-2.0
"""Lists the public names of include/ as docs/api.txt has them; checks it, or writes it (--write).

Not a parser of C++: a reader of braces that knows our style. It leaves out what users do not name:
private members, namespaces called detail, bodies and initializers.
"""
import re
import sys

import tree

LIST = "docs/api.txt"
TITLE = ("# The public names of include/nearcall, header by header. Written by scripts/update-api; a\n"
         "# change here is a change of the API, and belongs into the commit that makes it.\n")

TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|\d(?:\'?\w)*|\w+|::|->|\.\.\.|<=>|[=!<>+*/&|-]=|&&|\|\||\S')
SCOPE = re.compile(r"\b(namespace|class|struct|union|enum)\b")
ACCESS = ("public", "protected", "private")


def listing(root):
    """The text of docs/api.txt for the headers of `root`."""
    parts = [TITLE]
    for path in tree.source_files(root, under=("include",), suffixes=(".hpp",)):
        names = declarations((root / path).read_text(encoding="utf-8"))
        parts.append(f"\n{path.relative_to('include')}\n" + "".join(f"  {name}\n" for name in names))
    return "".join(parts)


def declarations(text):
    """The public declarations of a header: one line each, indented by the scope that it is in."""
    text = re.sub(r'//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\\n])*")', lambda m: m[1] or " ", text, flags=re.DOTALL)
    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", _macro, text, flags=re.MULTILINE)
    tokens = TOKEN.findall(text)
    lines = []
    _read_scope(tokens, 0, "public", 0, lines)
    return lines


def _macro(match):
    defined = re.match(r"\s*#\s*define\s+(\w+)", match[0])
    return f"__macro {defined[1]} ;" if defined else " "


def _read_scope(tokens, at, access, depth, lines):
    """Reads declarations up to the closing brace; the index after it."""
    head = []
    while at < len(tokens):
        token = tokens[at]
        if token == "}":
            return at + 1
        if token == ";":
            if _scope_kind(head) in ("class", "struct", "union", "enum"):
                head = []  # only declared here, defined elsewhere
            _add(head, access, depth, lines)
            head, at = [], at + 1
        elif token == ":" and len(head) == 1 and head[0] in ACCESS:
            access, head, at = head[0], [], at + 1
        elif token == "{":
            at = _read_braces(tokens, at + 1, head, access, depth, lines)
            if _is_block(head, tokens, at):
                head = []
        elif token == "(":
            end = _skip(tokens, at + 1, "(", ")")
            head += tokens[at:end]
            at = end
        else:
            head.append(token)
            at += 1
    return at


def _is_block(head, tokens, at):
    """Whether the braces that ended at `at` ended the declaration (an initializer does not)."""
    return not _is_initializer(head) and (at >= len(tokens) or tokens[at] not in (";", ",", "{", ")"))


def _is_initializer(head):
    """Whether `head` ends inside what stands behind a "=": int a = int{1} * 2."""
    depth = 0
    plain = _without_template(head)
    for before, token in zip([""] + plain, plain):
        depth += (token == "(") - (token == ")")
        if token == "=" and depth == 0 and before != "operator":
            return True
    return False


def _read_braces(tokens, at, head, access, depth, lines):
    """Reads `head { … }` from behind the brace; the index after the closing one."""
    kind = _scope_kind(head)
    if kind is None:  # a body or an initializer; a constructor's may be followed by another
        end = _skip(tokens, at, "{", "}")
        if _is_block(head, tokens, end):
            _add(head, access, depth, lines)
        elif tokens[end] == "{" or tokens[end] == ",":
            head.append(":")  # within a list of member initializers: nothing below is shown
        return end
    if kind == "namespace":
        is_hidden = "detail" in head
        head.clear()
        if is_hidden:
            return _skip(tokens, at, "{", "}")
        return _read_scope(tokens, at, "public", depth, lines)
    if access == "private":
        head.clear()
        return _skip(tokens, at, "{", "}")
    _add(head, access, depth, lines)
    if kind == "enum":
        end = _skip(tokens, at, "{", "}")
        values = _joined(tokens[at : end - 1]).rstrip(",")
        lines.append("  " * (depth + 1) + values)
    else:
        inner = "private" if kind == "class" else "public"
        end = _read_scope(tokens, at, inner, depth + 1, lines)
    head.clear()
    if end < len(tokens) and tokens[end] != ";":
        head.append("__member")  # struct { … } name;
    return end


def _scope_kind(head):
    """What `head {` opens: namespace, class, struct, union, enum; None if code or a value."""
    plain = _without_template(head)
    while plain and plain[0] in ("inline", "export", "typedef"):
        plain = plain[1:]
    if not plain or not SCOPE.fullmatch(plain[0]) or "(" in plain or "=" in plain:
        return None
    return plain[0]


def _without_template(head):
    while head[:2] == ["template", "<"]:
        depth, at = 1, 2
        while at < len(head) and depth:
            depth += (head[at] == "<") - (head[at] == ">")
            at += 1
        head = head[at:]
    return head


def _skip(tokens, at, opening, closing):
    """The index after the bracket that closes the one before `at`."""
    depth = 1
    while at < len(tokens) and depth:
        depth += (tokens[at] == opening) - (tokens[at] == closing)
        at += 1
    return at


def _add(head, access, depth, lines):
    plain = _without_template(head)
    if not plain or access == "private" or plain[0] in ("friend", "static_assert", "__member"):
        return
    if plain[0] == "__macro":
        lines.append("#define " + plain[1])
        return
    if "~" in plain and "virtual" not in plain and access == "public":
        return  # every class has a destructor
    kept = _without_body(head)
    note = "[protected] " if access == "protected" else ""
    lines.append("  " * depth + note + _joined(kept))


def _without_body(head):
    """A declaration without its initializer and without a constructor's member initializers."""
    depth = angle = 0
    for at, token in enumerate(head):
        depth += (token == "(") - (token == ")")
        angle += (token == "<") - (token == ">")
        if depth or at == 0:
            continue
        is_type = SCOPE.fullmatch(_without_template(head)[0]) or "using" in head
        if token == ":" and not is_type:
            return head[:at]
        if token == "=" and angle <= 0 and "operator" not in head[at - 1 : at]:
            ends = head[at + 1 :]
            is_special = "(" in head and ends in (["0"], ["delete"], ["default"])
            if "using" not in head and not is_special:
                return head[:at]
    return head


def _joined(tokens):
    text = re.sub(r"\[ \[ .*? \] \] ?", "", " ".join(tokens))
    text = re.sub(r" ?(::|\.\.\.) ?", r"\1", text)
    text = re.sub(r" ([,;)\]>&*]|&&|->\b)", r"\1", text)
    text = re.sub(r"([(\[~]) ", r"\1", text)
    text = re.sub(r"(\w|[>\])]) (<|\[)(?!=)", r"\1\2", text)
    text = re.sub(r"< ", "<", text)
    text = re.sub(r"(\w|>) \(", r"\1(", text)
    text = re.sub(r"\boperator ?([^\w\s]+) ?\(", r"operator\1(", text)
    text = re.sub(r"\btemplate<", "template <", text)
    return re.sub(r"(>|\.\.\.|[&*])(?=\w)", r"\1 ", text).strip()


def check(root):
    path = root / LIST
    current = path.read_text(encoding="utf-8") if path.exists() else ""
    if current == listing(root):
        return []
    return [f"{LIST} does not say what include/ says: run scripts/update-api, and look at the change"]


if __name__ == "__main__":
    if sys.argv[2:] == ["--write"]:
        root = tree.pathlib.Path(sys.argv[1])
        (root / LIST).write_text(listing(root), encoding="utf-8")
    else:
        tree.main(check)
