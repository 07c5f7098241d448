"""Turns the OpenAPI document into the Markdown pages of the API reference: one per tag, one of all schemas, an index.

Called by the MkDocs hook (tools/docs_hooks.py). The document is the server's own, so nothing here knows any resource.
"""

from __future__ import annotations

import json
import re
from collections import Counter

METHODS = ("get", "post", "put", "patch", "delete")
COMMON_SHARE = 0.6  # an answer that this share of the operations gives in the same words stands on the index page only


def title(tag: str) -> str:
    """A tag as a heading: "api-keys" is "API keys"."""
    words = tag.replace("-", " ")
    return re.sub(r"\bapi\b", "API", words[:1].upper() + words[1:], flags=re.IGNORECASE)


def cell(text: str) -> str:
    """Text for one cell of a table."""
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *[[cell(value) for value in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def schema_link(ref: str) -> str:
    name = ref.rsplit("/", 1)[1]
    return f"[{name}](schemas.md#{name})"


def type_name(schema: dict) -> str:
    """The type of a value in words, with links to the schemas that it names."""
    if "$ref" in schema:
        return schema_link(schema["$ref"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema or "oneOf" in schema:
        parts = [type_name(part) for part in schema.get("anyOf") or schema["oneOf"]]
        return " or ".join(dict.fromkeys(parts))
    types = schema.get("type", "any")
    types = [types] if isinstance(types, str) else types
    names = []
    for name in types:
        if name == "array":
            names.append("array of " + type_name(schema.get("items", {})))
        elif name == "string" and schema.get("format") in ("date-time", "date", "binary", "email", "uri"):
            names.append(
                {"date-time": "time", "binary": "bytes", "uri": "address"}.get(schema["format"], schema["format"])
            )
        else:
            names.append(name)
    return " or ".join(names)


def bounds(low: object, high: object, unit: str) -> str:
    if low is None and high is None:
        return ""
    if low is None:
        return f"at most {high}{unit}"
    if high is None:
        return f"at least {low}{unit}"
    return f"{low} to {high}{unit}"


def limits(schema: dict) -> str:
    """What a value must be beyond its type."""
    parts = []
    if "enum" in schema:
        parts.append("one of " + ", ".join(f"`{word}`" for word in schema["enum"] if word is not None))
    parts.append(bounds(schema.get("minimum"), schema.get("maximum"), ""))
    parts.append(bounds(schema.get("minLength"), schema.get("maxLength"), " characters"))
    parts.append(bounds(schema.get("minItems"), schema.get("maxItems"), " items"))
    if schema.get("default") not in (None, ""):
        parts.append(f"default `{json.dumps(schema['default'])}`")
    return "; ".join(part for part in parts if part)


def meaning(description: str, schema: dict) -> str:
    """The description of a field or parameter, followed by its limits as a sentence of their own."""
    extra = limits(schema)
    return f"{description} {extra[0].upper()}{extra[1:]}." if extra else description


def fields_table(schema: dict) -> str:
    required = schema.get("required", [])
    rows = [
        [
            f"`{name}`",
            type_name(field) + (", required" if name in required else ""),
            meaning(field.get("description", ""), field),
        ]
        for name, field in schema.get("properties", {}).items()
    ]
    return table(["Field", "Type", "Meaning"], rows)


def schema_section(name: str, schema: dict) -> str:
    text = f"## {name} {{ #{name} }}\n\n"
    if schema.get("description"):
        text += schema["description"] + "\n\n"
    if schema.get("properties"):
        return text + fields_table(schema)
    return text + f"{type_name(schema)}. {limits(schema)}".strip() + "\n"


def heading(operation: dict) -> str:
    return operation.get("summary") or operation["operationId"]


def access(operation: dict) -> str:
    """Who may call, from `security`."""
    security = operation.get("security", [])
    if not security or {} in security:
        return "No sign-in needed."
    names = {"bearer": "access token", "apiKey": "API key", "refreshCookie": "refresh cookie"}
    return "Needs: " + " or ".join(" and ".join(names.get(name, name) for name in part) for part in security) + "."


def answer_body(answer: dict) -> str:
    return ", ".join(
        type_name(content["schema"]) if "schema" in content else f"`{media}`"
        for media, content in answer.get("content", {}).items()
    )


def operation_section(path: str, method: str, operation: dict, common: set[tuple[str, str]]) -> str:
    text = f"## {heading(operation)} {{ #{operation['operationId']} }}\n\n`{method.upper()} {path}`\n\n"
    if operation.get("description"):
        text += operation["description"] + "\n\n"
    text += access(operation) + "\n\n"
    parameters = operation.get("parameters", [])
    if parameters:
        rows = [
            [
                f"`{parameter['name']}`",
                parameter["in"] + (", required" if parameter.get("required") else ""),
                type_name(parameter["schema"]),
                meaning(parameter.get("description", ""), parameter["schema"]),
            ]
            for parameter in parameters
        ]
        text += table(["Parameter", "In", "Type", "Meaning"], rows) + "\n"
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        schema = content.get("schema", {})
        text += f"Body, `{media}`: {type_name(schema)}\n\n"
        if schema.get("properties"):
            text += fields_table(schema) + "\n"
    rows = [
        [status, answer.get("description", ""), answer_body(answer)]
        for status, answer in sorted(operation["responses"].items())
        if (status, answer.get("description", "")) not in common
    ]
    return text + table(["Status", "Meaning", "Body"], rows)


def operations(document: dict) -> list[tuple[str, str, dict]]:
    return [
        (path, method, item[method]) for path, item in document["paths"].items() for method in METHODS if method in item
    ]


def common_answers(document: dict) -> set[tuple[str, str]]:
    """Refusals that most operations share, so that no page needs to repeat them."""
    everything = operations(document)
    counts = Counter(
        (status, answer.get("description", ""))
        for _, _, operation in everything
        for status, answer in operation["responses"].items()
        if status >= "4"
    )
    return {answer for answer, count in counts.items() if count > COMMON_SHARE * len(everything)}


def index_page(document: dict, tags: dict[str, list], common: set[tuple[str, str]]) -> str:
    info = document["info"]
    text = f"# API reference\n\nEvery operation of version {info['version']}, made from the server's own OpenAPI document, which each server "
    text += "also answers at `/openapi.json` and shows at `/docs`. What holds for all of them is on the page "
    text += "[API conventions](../api-conventions.md); how to sign in, on [Authentication](../authentication.md).\n\n"
    for tag, members in tags.items():
        rows = [
            [
                f"[{heading(operation)}]({tag}.md#{operation['operationId']})",
                f"`{method.upper()} {path}`",
            ]
            for path, method, operation in members
        ]
        text += f"## {title(tag)}\n\n" + table(["Operation", "Request"], rows) + "\n"
    if common:
        text += "## Answers that nearly every operation can give\n\nThe pages do not repeat them. Their body is a [Problem](schemas.md#Problem).\n\n"
        text += table(["Status", "Meaning"], [list(answer) for answer in sorted(common)])
    return text


def pages(document: dict) -> dict[str, str]:
    """File names with their Markdown."""
    common = common_answers(document)
    tags: dict[str, list[tuple[str, str, dict]]] = {}
    for path, method, operation in operations(document):
        tags.setdefault(operation.get("tags", ["other"])[0], []).append((path, method, operation))
    tags = dict(sorted(tags.items()))
    result = {"index.md": index_page(document, tags, common)}
    for tag, members in tags.items():
        sections = [operation_section(path, method, operation, common) for path, method, operation in members]
        result[f"{tag}.md"] = f"# {title(tag)}\n\n" + "\n".join(sections)
    schemas = document.get("components", {}).get("schemas", {})
    sections = [schema_section(name, schema) for name, schema in sorted(schemas.items())]
    result["schemas.md"] = "# Schemas\n\nThe bodies of requests and answers.\n\n" + "\n".join(sections)
    return result
