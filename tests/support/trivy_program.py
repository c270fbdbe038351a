"""A `trivy` as far as a step sees it: command line, exit codes and JSON of version 0.58, from a fixed database.

It refuses what the real one refuses: unknown flags, no target or two, an image that is nowhere, a path that is not
there. As with the real one the exit code is 0 with findings unless `--exit-code` says otherwise, and the secret itself
is hidden in what is quoted, while the line beside it is not.
"""

import json
import sys
from pathlib import Path

IMAGES = {"registry.example.com/app:1.0", "registry.example.com/clean:1.0"}
FLAGS = {"--format", "--output", "--exit-code", "--scanners", "--ignorefile"}
SWITCHES = {"--no-progress", "--ignore-unfixed"}


def fatal(text: str) -> None:
    print(f"2026-01-01T00:00:00Z\tFATAL\tFatal error\t{text}", file=sys.stderr)
    sys.exit(1)


def usage(text: str) -> None:
    print(f"Error: {text}\nUsage:\n  trivy [flags]", file=sys.stderr)
    sys.exit(1)


def parsed(arguments: list[str]) -> tuple[dict[str, str], list[str]]:
    given: dict[str, str] = {}
    targets: list[str] = []
    while arguments:
        one = arguments.pop(0)
        if one == "--":
            targets += arguments
            break
        if one in SWITCHES:
            given[one] = "true"
        elif one in FLAGS:
            given[one] = arguments.pop(0)
        elif one.startswith("-"):
            usage(f"unknown flag: {one}")
        else:
            targets.append(one)
    return given, targets


def vulnerability(number: int, severity: str, fixed: str = "") -> dict[str, object]:
    found: dict[str, object] = {
        "VulnerabilityID": f"CVE-2026-{number}",
        "PkgID": "libexample@1.0.0-r0",
        "PkgName": "libexample",
        "PkgIdentifier": {"PURL": "pkg:apk/alpine/libexample@1.0.0-r0"},
        "InstalledVersion": "1.0.0-r0",
        "Status": "fixed" if fixed else "affected",
        "Layer": {"DiffID": "sha256:" + "0" * 64},
        "SeveritySource": "nvd",
        "PrimaryURL": f"https://avd.example.com/nvd/cve-2026-{number}",
        "Title": "libexample: a <b>buffer</b> | overflows",
        "Severity": severity,
        "CweIDs": ["CWE-120"],
    }
    return found | ({"FixedVersion": fixed} if fixed else {})


def of_image(name: str) -> list[dict[str, object]]:
    if "clean" in name:
        return [{"Target": f"{name} (alpine 3.20.0)", "Class": "os-pkgs", "Type": "alpine"}]
    found = [vulnerability(1, "CRITICAL", "1.0.1-r0"), vulnerability(2, "MEDIUM"), vulnerability(3, "UNKNOWN")]
    return [{"Target": f"{name} (alpine 3.20.0)", "Class": "os-pkgs", "Type": "alpine", "Vulnerabilities": found}]


def quoted(number: int, content: str, *, is_cause: bool) -> dict[str, object]:
    return {"Number": number, "Content": content, "IsCause": is_cause, "Annotation": "", "Truncated": False}


def of_folder(path: Path, scanners: list[str]) -> list[dict[str, object]]:
    results: list[dict[str, object]] = []
    for file in sorted(path.rglob("*") if path.is_dir() else [path]):
        lines = file.read_text().splitlines() if file.is_file() else []
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        for number, line in enumerate(lines, 1):
            if "secret" in scanners and "ghp_" in line:
                hidden = line.split("ghp_")[0] + "*" * 20
                code = {"Lines": [quoted(number, hidden, is_cause=True)]}
                code["Lines"] += [quoted(number + 1, beside, is_cause=False) for beside in lines[number : number + 1]]
                secret = {"RuleID": "github-pat", "Category": "GitHub", "Severity": "CRITICAL"}
                secret |= {"Title": "GitHub Personal Access Token", "StartLine": number, "EndLine": number}
                results.append(
                    {"Target": name, "Class": "secret", "Secrets": [{**secret, "Code": code, "Match": hidden}]}
                )
        if "misconfig" in scanners and file.name == "Dockerfile":
            one = {"Type": "Dockerfile Security Check", "ID": "DS002", "AVDID": "AVD-DS-0002", "Severity": "HIGH"}
            one |= {"Title": "Image user should not be 'root'", "Message": "Specify at least 1 USER command"}
            one |= {"PrimaryURL": "https://avd.example.com/misconfig/ds002", "CauseMetadata": {"StartLine": 1}}
            found = [{**one, "Status": "FAIL"}, {**one, "ID": "DS005", "AVDID": "AVD-DS-0005", "Status": "PASS"}]
            results.append({"Target": name, "Class": "config", "Type": "dockerfile", "Misconfigurations": found})
        if "license" in scanners and file.name == "package.json":
            one = {"Severity": "HIGH", "Category": "restricted", "PkgName": "left", "FilePath": "", "Name": "GPL-3.0"}
            results.append({"Target": name, "Class": "license", "Licenses": [{**one, "Confidence": 1, "Link": ""}]})
    return results


def main() -> None:
    what, *arguments = sys.argv[1:] or ["help"]
    if what not in {"image", "filesystem"}:
        usage(f'unknown command "{what}" for "trivy"')
    given, targets = parsed(arguments)
    if len(targets) != 1:
        fatal("multiple targets cannot be specified" if targets else f"require at least 1 argument: trivy {what}")
    if given.get("--format", "table") != "json":
        fatal("only JSON is written here")
    if not Path(given["--ignorefile"]).exists():
        fatal(f"{given['--ignorefile']} not found")
    target = targets[0]
    if what == "image" and target not in IMAGES:
        fatal(f"run error: image scan error: unable to find the specified image {target!r}")
    if what == "filesystem" and not Path(target).exists():
        fatal(f"run error: fs scan error: stat {target}: no such file or directory")
    scanners = given.get("--scanners", "vuln,secret").split(",")
    ignored = Path(given["--ignorefile"]).read_text().split()
    results = of_image(target) if what == "image" else of_folder(Path(target), scanners)
    for result in results:
        found = [one for one in result.get("Vulnerabilities", []) if one["VulnerabilityID"] not in ignored]
        if "--ignore-unfixed" in given:
            found = [one for one in found if one["Status"] == "fixed"]
        if "Vulnerabilities" in result:
            result["Vulnerabilities"] = found
    document = {"SchemaVersion": 2, "CreatedAt": "2026-01-01T00:00:00Z", "ArtifactName": target}
    document |= {"ArtifactType": "container_image" if what == "image" else "filesystem"}
    # The real one leaves the key out when there is nothing to tell.
    document |= {"Results": results} if results else {}
    print("2026-01-01T00:00:00Z\tINFO\tDetected OS", file=sys.stderr)
    Path(given["--output"]).write_text(json.dumps(document))
    has_found = any(result.get(kind) for result in results for kind in ("Vulnerabilities", "Secrets"))
    sys.exit(int(given.get("--exit-code", "0")) if has_found else 0)


if __name__ == "__main__":
    main()
