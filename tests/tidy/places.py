"""Twenty places of src, picked by a fixed seed: `python3 tests/tidy/places.py [SEED] [DIRECTORY]`.

Each is to be understood from its file alone by a reader who knows C++ and networks. What needs a look elsewhere is rewritten; the
commit that does so names its seed and its places.
"""

import pathlib
import random
import sys

NUMBER = 20


def places(directory, seed):
    """Lines of code, each as likely as any other, as FILE:LINE; blank ones, includes and closing brackets are none."""
    lines = []
    for path in sorted(p for p in (directory / "src").rglob("*") if p.suffix in (".cpp", ".hpp", ".js")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            text = line.strip()
            if text.strip("{}()[];,") and not text.startswith(("#", "namespace ", "}  // namespace")):
                lines.append(f"{path.relative_to(directory)}:{number}")
    return random.Random(seed).sample(lines, NUMBER)


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else pathlib.Path(__file__).parents[2])
    print("\n".join(sorted(places(root, int(sys.argv[1]) if len(sys.argv) > 1 else 18))))
